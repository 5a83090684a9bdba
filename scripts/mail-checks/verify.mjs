// Signatures and contents as others see them: mailauth verifies, mailparser parses.
// verify.mjs RECORDS.json FILE.eml… ; RECORDS maps "NAME TYPE" to the records of a zone.
// Prints one JSON object: file → {dkim: [...], spf, dmarc, subject, to, links: {html, text}}.
import fs from 'node:fs';
import path from 'node:path';
import { authenticate } from 'mailauth';
import { simpleParser } from 'mailparser';

const [records, ...files] = process.argv.slice(2);
const zone = JSON.parse(fs.readFileSync(records, 'utf8'));

async function resolver(name, type) {
  const found = zone[`${name.toLowerCase()} ${type}`];
  if (found) return type === 'TXT' ? found.map((text) => [text]) : found;
  const error = new Error('not found');
  error.code = 'ENOTFOUND';
  throw error;
}

const results = {};
for (const file of files) {
  const data = fs.readFileSync(file);
  const { dkim, spf, dmarc } = await authenticate(data, {
    ip: zone.sender.ip,
    helo: zone.sender.helo,
    sender: zone.sender.envelope,
    mta: 'mx.reader.example',
    resolver,
  });
  const mail = await simpleParser(data);
  results[path.basename(file)] = {
    dkim: dkim.results.map((r) => `${r.status.result} ${r.algo} ${r.signingDomain}`),
    spf: spf.status.result,
    dmarc: dmarc.status.result,
    subject: mail.subject,
    to: mail.to.value,
    links: {
      html: [...mail.html.matchAll(/href="([^"]*)"/g)].map((m) => m[1].replaceAll('&amp;', '&')),
      text: mail.text.match(/https?:\/\/\S+/g),
    },
    unsubscribe: mail.headers.get('list')?.unsubscribe,
  };
}
console.log(JSON.stringify(results));
