// The published client, unchanged, and what each test needs around it.

import assert from 'node:assert/strict';
import buffer from 'node:buffer';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { after, before } from 'node:test';
import { fileURLToPath } from 'node:url';

import { ACCOUNT_ID, API_TOKEN, startServer } from './server.mjs';

// `cargo xtask test` puts the client into the target folder, where an import statement would not look.
const here = fileURLToPath(new URL('.', import.meta.url));
const clients = resolve(process.env.DARKROOM_NPM_CLIENTS ?? `${here}/../../target/clients/npm`);
const require = createRequire(`${clients}/`);

// The client asks Node 18 for this, in its own words.
globalThis.File ??= buffer.File;

export const Cloudflare = require('cloudflare');
/** Another program that resizes and reads images; where a suite needs it. */
export const sharp = () => require('sharp');

/** Width and height of a PNG. */
export function pngSize(bytes) {
  const view = Buffer.from(bytes);
  if (view.toString('latin1', 1, 4) !== 'PNG') throw new Error('no PNG');
  return [view.readUInt32BE(16), view.readUInt32BE(20)];
}
export const { toFile } = Cloudflare;

/** A picture of one pixel. */
export const PIXEL = Buffer.from(
  'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8BQDwAEhQGAhKmMIQAAAABJRU5ErkJggg==',
  'base64',
);

/** A photograph of the repository. */
export const photo = (name) => readFile(new URL(`../../tests/photos/${name}`, import.meta.url));

export const pixelFile = (name = 'pixel.png') => new File([PIXEL], name, { type: 'image/png' });

/**
 * Starts one server, with these options, for the test file that calls it, and lets `prepare` put things in. `requests` holds what the
 * clients put on the wire: `{ method, path, query, headers }`, percent-encoding untouched.
 */
export function useServer(prepare = async () => {}, options = {}) {
  const context = { requests: [], account_id: ACCOUNT_ID };
  let server;
  before(async () => {
    server = await startServer(options);
    process.env.CLOUDFLARE_BASE_URL = server.baseUrl;
    Object.assign(context, { origin: server.origin, baseUrl: server.baseUrl, client: context.connect() });
    await prepare();
  });
  after(() => server?.stop());

  /** Returns a client; by default the one with our token. */
  context.connect = (options = { apiToken: API_TOKEN }) =>
    new Cloudflare({
      ...options,
      fetch: (url, init) => {
        const { pathname, search } = new URL(url);
        context.requests.push({ method: init.method, path: pathname, query: search.slice(1), headers: new Headers(init.headers) });
        return fetch(url, init);
      },
    });
  /** Uploads the pixel. */
  context.upload = (params = {}) =>
    context.client.images.v1.create({ account_id: ACCOUNT_ID, file: pixelFile(), ...params });
  /** Lists; the ids of one page. */
  context.ids = async (params = {}) =>
    (await context.client.images.v2.list({ account_id: ACCOUNT_ID, ...params })).images.map((image) => image.id);
  return context;
}

/**
 * Expects that the call fails with this exception class, status and code, after exactly one request.
 * Returns the error.
 */
export async function refused(context, call, { type, status, code, message, pointer }) {
  context.requests.length = 0;
  const error = await call().then(
    (value) => assert.fail(`expected ${type.name}, got ${JSON.stringify(value)}`),
    (error) => error,
  );
  assert.equal(error.constructor, type, String(error));
  assert.equal(error.status, status);
  assert.equal(error.errors.length, 1);
  assert.equal(error.errors[0].code, code);
  if (message !== undefined) assert.equal(error.errors[0].message, message);
  if (pointer !== undefined) assert.equal(error.errors[0].source.pointer, pointer);
  assert.deepEqual([error.error.success, error.error.result, error.error.messages], [false, null, []]);
  assert.equal(context.requests.length, 1, 'the client must not try again');
  return error;
}
