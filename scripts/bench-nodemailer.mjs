// Nodemailer's pool, in as many processes as senders usually get: node bench-nodemailer.mjs
//   MESSAGE.json PORT COUNT CONNECTIONS PROCESSES [KEY.pem]
// With a key each message is made of HTML and text and signed (DKIM); without, ready-made bytes go
// out. Prints messages a second over all processes. `npm install nodemailer` in the working folder,
// or NODE_PATH, must have the package.
import cluster from 'node:cluster';
import fs from 'node:fs';
import path from 'node:path';
import {createRequire} from 'node:module';

const places = [process.cwd(), ...(process.env.NODE_PATH || '').split(path.delimiter)];
const found = places.map(place => path.join(place, 'node_modules', 'nodemailer'))
  .concat(places.map(place => path.join(place, 'nodemailer'))).find(place => fs.existsSync(place));
if (!found) { console.error('nodemailer is not installed'); process.exit(2); }
const nodemailer = createRequire(import.meta.url)(found);
const [file, ...numbers] = process.argv.slice(2);
const [port, count, connections, processes] = numbers.slice(0, 4).map(Number);
const key = numbers[4];
const message = JSON.parse(fs.readFileSync(file, 'utf8'));

function send(share, links) {
  const dkim = key && {domainName: 'site.example', keySelector: 'newsletter',
    privateKey: fs.readFileSync(key, 'utf8')};
  const pool = nodemailer.createTransport({host: '127.0.0.1', port, pool: true, ignoreTLS: true,
    maxConnections: links, maxMessages: Infinity, ...(dkim ? {dkim} : {})});
  let started = 0, sent = 0;
  const next = () => {
    if (started === share) return;
    const number = started++;
    const to = `reader${number}@there.example`;
    const mail = key
      ? {from: 'papers@site.example', to, subject: `Papers ${number}`, text: message.text,
         html: message.html}
      : {envelope: {from: 'papers@site.example', to}, raw: message.raw};
    pool.sendMail(mail, error => {
      if (error) throw error;
      if (++sent === share) { pool.close(); process.send('done'); } else next();
    });
  };
  for (let link = 0; link < links * 2; link++) next();
}

if (cluster.isPrimary) {
  let ready = 0, done = 0, begin = 0;
  for (let number = 0; number < processes; number++) cluster.fork();
  cluster.on('message', (worker, said) => {
    if (said === 'ready' && ++ready === processes) {
      begin = Date.now();
      for (const each of Object.values(cluster.workers)) each.send('go');
    }
    if (said === 'done' && ++done === processes) {
      console.log(Math.floor(count / processes) * processes / ((Date.now() - begin) / 1000));
      cluster.disconnect();
    }
  });
} else {
  process.on('message', () =>
    send(Math.floor(count / processes), Math.max(1, Math.floor(connections / processes))));
  process.send('ready');
}
