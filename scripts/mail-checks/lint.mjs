// What e-mail clients cannot show (doiuse-email) and what is not valid HTML (html-validate).
// lint.mjs FILE.html… prints one JSON object: file → {unsupported: {feature: [clients]}, invalid: […]}.
import fs from 'node:fs';
import path from 'node:path';
import { doIUseEmail } from '@jsx-email/doiuse-email';
import { HtmlValidate } from 'html-validate';

const CLIENTS = ['gmail.*', 'outlook.*', 'apple-mail.*', 'yahoo.*'];
const validator = new HtmlValidate({
  extends: ['html-validate:standard', 'html-validate:a11y'],
  rules: {
    // Outlook knows presentational attributes only, and clients drop <article>.
    'no-deprecated-attr': 'off',
    'prefer-native-element': 'off',
  },
});

const results = {};
for (const file of process.argv.slice(2)) {
  const html = fs.readFileSync(file, 'utf8');
  const unsupported = {};
  for (const error of doIUseEmail(html, { emailClients: CLIENTS }).errors ?? []) {
    const found = error.match(/^`(.*)` is not supported by `(.*)`$/);
    if (found) (unsupported[found[1]] ??= new Set()).add(found[2]);
  }
  const report = await validator.validateString(html);
  results[path.basename(file)] = {
    unsupported: Object.fromEntries(
      Object.entries(unsupported).map(([name, clients]) => [name, [...clients].sort()]),
    ),
    invalid: report.results.flatMap((result) =>
      result.messages.map((m) => `${m.line}:${m.column} ${m.ruleId}: ${m.message}`),
    ),
  };
}
console.log(JSON.stringify(results));
