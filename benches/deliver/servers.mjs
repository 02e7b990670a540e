// The servers that are measured: how each is started, and how each is asked for a file at a width in a format.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';

const READY_WITHIN_MS = 30_000;
const ACCOUNT_ID = '023e105f4ecef8ad9ca31a8372d0c353';
const ACCOUNT_HASH = 'Vi7wi5KSItxGFsWRG2Us6Q';
const API_TOKEN = 'a-token-that-only-this-measurement-knows';

/** The name of Darkroom built with the feature `libaom`, which changes nothing but how AVIF is written. */
export const WITH_LIBAOM = 'Darkroom with libaom';

async function freePort() {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address();
  listener.close();
  await once(listener, 'close');
  return port;
}

/** Starts a program, and waits until it answers anything at this path. */
async function start(words, origin, env = {}) {
  // Darkroom refuses names of its own kind that are no settings, such as those of this measurement.
  const own = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('DARKROOM_')));
  const child = spawn(words[0], words.slice(1), { env: { ...own, ...env }, stdio: 'ignore' });
  process.once('exit', () => child.kill('SIGKILL'));
  for (const began = Date.now(); ;) {
    if (await fetch(origin).then((answer) => answer.arrayBuffer(), () => undefined)) return child;
    if (Date.now() - began > READY_WITHIN_MS || child.exitCode !== null) throw new Error(`${words[0]} did not start`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** nginx, as its makers tell to serve files, and nothing written down of a request. */
export async function nginx({ folder, scratch }) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const conf = join(scratch, 'nginx.conf');
  await writeFile(conf, `daemon off; pid ${scratch}/nginx.pid; error_log ${scratch}/nginx.log; worker_processes auto;
${process.getuid() === 0 ? 'user root;' : ''}
events { worker_connections 1024; }
http {
  access_log off; sendfile on; keepalive_requests 1000000;
  types { image/jpeg jpg; image/webp webp; }
  server { listen 127.0.0.1:${port}; root ${folder}; }
}
`);
  const child = await start(['nginx', '-c', conf, '-p', scratch], origin);
  return { name: 'nginx', pid: child.pid, stop: () => child.kill(), ask: (name) => `${origin}/${name}` };
}

/** `ask(file, row, turn)` is the URL of a rendering; `turn` differs in each request, so that nothing is answered twice. */
export async function darkroom({ binary, folder, data, sources }) {
  const origin = `http://127.0.0.1:${await freePort()}`;
  const child = await start([binary, 'serve', '--listen', origin.slice(7), '--data', data], `${origin}/health/ready`, {
    DARKROOM_ACCOUNT_ID: ACCOUNT_ID, DARKROOM_ACCOUNT_HASH: ACCOUNT_HASH, DARKROOM_API_TOKEN: API_TOKEN,
  });
  const api = `${origin}/client/v4/accounts/${ACCOUNT_ID}/images/v1`;
  const headers = { authorization: `Bearer ${API_TOKEN}` };
  await fetch(`${api}/config`, { method: 'PATCH', headers, body: '{"flexible_variants":true}' });
  for (const name of sources) {
    const form = new FormData();
    form.set('id', name);
    form.set('file', new Blob([await readFile(join(folder, name))]), name);
    const answer = await fetch(api, { method: 'POST', headers, body: form });
    if (!answer.ok) throw new Error(`${name}: ${await answer.text()}`);
  }
  return {
    name: 'Darkroom',
    pid: child.pid,
    stop: () => child.kill(),
    // A gravity that cuts off nothing changes no pixel, and makes another rendition of it.
    ask: (name, { width, darkroom: options }, turn) =>
      `${origin}/${ACCOUNT_HASH}/${name}/width=${width},gravity=0.5x0.${100_000 + turn},${options}`,
  };
}

export async function darkroomWithLibaom(places) {
  const server = await darkroom(places);
  const ask = (name, row, turn) => row.libaom && server.ask(name, { ...row, darkroom: row.libaom }, turn);
  return { ...server, name: WITH_LIBAOM, ask };
}

export async function sharpServer({ folder, home }) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const script = join(home, 'sharp-server.mjs');
  const child = await start(['node', script, folder, String(port)], `${origin}/?format=none`);
  return {
    name: 'sharp',
    pid: child.pid,
    stop: () => child.kill(),
    ask: (name, { width, sharp: { format, options, animated } }) =>
      `${origin}/${name}?width=${width}&format=${format}&options=${encodeURIComponent(JSON.stringify(options))}`
        + (animated ? '&animated' : ''),
  };
}

export async function ipx({ folder, home }) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const bin = join(home, 'node_modules/ipx/bin/ipx.mjs');
  const child = await start(['node', bin, 'serve', '--dir', folder, '--port', String(port), '--host', '127.0.0.1'], origin, {
    PORT: String(port), HOST: '127.0.0.1', IPX_FS_DIR: folder,
  });
  return {
    name: 'ipx',
    pid: child.pid,
    stop: () => child.kill(),
    ask: (name, { width, ipx: modifiers }) => modifiers && `${origin}/w_${width},${modifiers}/${name}`,
  };
}

export async function thumbor({ folder, python }) {
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const conf = join(folder, 'thumbor.conf');
  const child = await start([join(python, 'bin/thumbor'), '--port', String(port), '--ip', '127.0.0.1', '--conf', conf],
    `${origin}/healthcheck`);
  return {
    name: 'thumbor',
    pid: child.pid,
    stop: () => child.kill(),
    ask: (name, { width, thumbor: filters }) => filters && `${origin}/unsafe/${width}x0/filters:${filters}/${name}`,
  };
}
