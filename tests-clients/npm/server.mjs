// Starts the real binary on an empty folder and a free port, with an account that is known beforehand.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const BINARY = resolve(process.env.DARKROOM_BINARY ?? 'target/debug/darkroom');
const READY_WITHIN_MS = 30_000;
const STOPPED_WITHIN_MS = 20_000;

export const ACCOUNT_ID = '023e105f4ecef8ad9ca31a8372d0c353';
export const ACCOUNT_HASH = 'Vi7wi5KSItxGFsWRG2Us6Q';
export const API_TOKEN = 'a-token-that-only-these-tests-know';

/**
 * Resolves, once the server is ready, to `{ origin, baseUrl, stop, kill }`. Without a data folder it gets one of its
 * own, which goes with it.
 */
export async function startServer({ data, flags = [], env = {} } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'darkroom-npm-'));
  const port = await freePort();
  const origin = `http://127.0.0.1:${port}`;
  const where = ['--listen', `127.0.0.1:${port}`, '--data', data ?? join(folder, 'data')];
  const child = spawn(BINARY, [...where, ...flags], {
    cwd: folder,
    env: { ...env, PATH: process.env.PATH, DARKROOM_ACCOUNT_ID: ACCOUNT_ID, DARKROOM_ACCOUNT_HASH: ACCOUNT_HASH, DARKROOM_API_TOKEN: API_TOKEN },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr.on('data', (chunk) => (log = (log + chunk).slice(-10_000)));
  const exited = new Promise((settle) => {
    child.once('error', (error) => settle(`could not start: ${error.message}`));
    child.once('exit', (code, signal) => settle(signal ?? code));
  });
  process.once('exit', () => child.kill('SIGKILL'));

  try {
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
