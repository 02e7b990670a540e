// Starts the real binary on a free port, with an account that is known beforehand. DARKROOM_MODE says which command: `serve`
// on an empty folder of its own, or `dev`, which keeps nothing. The suites are the same for both; what needs a data folder
// (the guard, and whatever restarts a server) asks for one and is for `serve` only.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

const BINARY = resolve(process.env.DARKROOM_BINARY ?? 'target/debug/darkroom');
const READY_WITHIN_MS = 30_000;
const STOPPED_WITHIN_MS = 20_000;

export const MODE = process.env.DARKROOM_MODE ?? 'serve';
// Of these, `dev` has its own (docs/dev.md), which it is not told.
export const ACCOUNT_ID = '023e105f4ecef8ad9ca31a8372d0c353';
export const ACCOUNT_HASH = 'Vi7wi5KSItxGFsWRG2Us6Q';
export const API_TOKEN = { serve: 'a-token-that-only-these-tests-know', dev: 'darkroom-dev-token' }[MODE];

/**
 * Resolves, once the server is ready, to `{ origin, baseUrl, stop, kill }`. Without a data folder it gets one of its
 * own, which goes with it.
 */
export async function startServer({ data, flags = [], env = {} } = {}) {
  if (API_TOKEN === undefined) throw new Error(`DARKROOM_MODE: expected serve or dev, got ${MODE}`);
  if (MODE === 'dev' && data !== undefined) throw new Error('what needs a data folder is for `serve` only');
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-npm-'));
  // A server for tests says which port it got; one that is to stay is told.
  const address = MODE === 'dev' ? '127.0.0.1:0' : `127.0.0.1:${await freePort()}`;
  const where = MODE === 'dev' ? [] : ['--data', data ?? join(folder, 'data')];
  const account = { DARKROOM_ACCOUNT_ID: ACCOUNT_ID, DARKROOM_ACCOUNT_HASH: ACCOUNT_HASH, DARKROOM_API_TOKEN: API_TOKEN };
  const child = spawn(BINARY, [MODE, '--listen', address, ...where, ...flags], {
    cwd: folder,
    env: { ...env, ...(MODE === 'dev' ? {} : account), PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-10_000)));
  const exited = new Promise((settle) => {
    child.once('error', (error) => settle(`could not start: ${error.message}`));
    child.once('exit', (code, signal) => settle(signal ?? code));
  });
  process.once('exit', () => child.kill('SIGKILL'));

  let origin;
  try {
    origin = MODE === 'dev' ? await told(child.stdout) : `http://${address}`;
    await untilReady(origin, exited);
  } catch (error) {
    child.kill('SIGKILL');
    throw new Error(`${error.message}; its log:\n${log}`);
  }

  /** Asks the server to finish, and expects that it does so in good order. */
  async function stop() {
    child.kill('SIGTERM');
    const deadline = setTimeout(() => child.kill('SIGKILL'), STOPPED_WITHIN_MS);
    const outcome = await exited;
    clearTimeout(deadline);
    await rm(folder, { recursive: true, force: true });
    if (outcome !== 0) throw new Error(`the server ended with ${outcome}; its log:\n${log}`);
  }

  /** SIGKILL. */
  async function kill() {
    child.kill('SIGKILL');
    await exited;
    await rm(folder, { recursive: true, force: true });
  }

  return { origin, baseUrl: `${origin}/client/v4`, stop, kill };
}

/** The line that `dev` prints when it is ready. */
async function told(stdout) {
  for await (const line of createInterface({ input: stdout })) {
    const { url, account_id, account_hash, api_token } = JSON.parse(line);
    assert.deepEqual([account_id, account_hash, api_token], [ACCOUNT_ID, ACCOUNT_HASH, API_TOKEN]);
    return url;
  }
  throw new Error(`${BINARY} ended before it was ready`);
}

async function untilReady(origin, exited) {
  let over = false;
  const ended = exited.then((outcome) => {
    if (!over) throw new Error(`${BINARY} ended with ${outcome} before it was ready`);
  });
  const ready = (async () => {
    const deadline = Date.now() + READY_WITHIN_MS;
    while (Date.now() < deadline) {
      const answer = await fetch(`${origin}/health/ready`).catch(() => undefined);
      await answer?.arrayBuffer();
      if (answer?.status === 200) return;
      await new Promise((wake) => setTimeout(wake, 20));
    }
    throw new Error(`${BINARY} was not ready in time`);
  })();
  try {
    await Promise.race([ready, ended]);
  } finally {
    over = true;
  }
}

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}
