// One-time upload URLs: the client asks for one, and a browser sends the file.

import assert from 'node:assert/strict';
import { test } from 'node:test';

import { ACCOUNT_HASH, ACCOUNT_ID as account_id } from './server.mjs';
import { Cloudflare, pixelFile, pngSize, refused, useServer } from './sdk.mjs';

const context = useServer();

const create = (params = {}) => context.client.images.v2.directUploads.create({ account_id, ...params });

function send(url, file = pixelFile()) {
  const body = new FormData();
  body.append('file', file);
  return fetch(url, { method: 'POST', body });
}

test('a URL without parameters takes one file', async () => {
  const { id, uploadURL } = await create();
  assert.equal(uploadURL, `${context.origin}/upload/${ACCOUNT_HASH}/${id}`);
  assert.equal((await context.client.images.v1.get(id, { account_id })).draft, true);
  const answer = await send(uploadURL);
  assert.equal(answer.status, 200);
  const { success, result } = await answer.json();
  assert.deepEqual([success, result.id, result.filename], [true, id, 'pixel.png']);
  const delivered = await fetch(result.variants[0]);
  assert.deepEqual(pngSize(await delivered.arrayBuffer()), [1, 1]);
  const again = await send(uploadURL);
  assert.equal(again.status, 409);
  assert.match(await again.text(), /^ERROR 5409: /);
});

test('what is said when the URL is made is said of the image', async () => {
  const expiry = new Date(Date.now() + 3_600_000).toISOString();
  const metadata = { status: 'new', region: { name: 'eu' } };
  const { id, uploadURL } = await create({ id: 'cats/a b', creator: 'ann', metadata, expiry });
  assert.equal(id, 'cats/a b');
  assert.equal((await send(uploadURL, new File(['words'], 'a.png'))).status, 415);
  const { result } = await (await send(uploadURL)).json();
  assert.deepEqual([result.id, result.creator, result.meta], [id, 'ann', metadata]);
});

test('a private image needs a signature, and a generated id', async () => {
  const { uploadURL } = await create({ requireSignedURLs: true });
  const { result } = await (await send(uploadURL)).json();
  assert.equal(result.requireSignedURLs, true);
  assert.equal((await fetch(result.variants[0])).status, 403);
  const badRequest = { type: Cloudflare.BadRequestError, status: 400 };
  await refused(context, () => create({ id: 'mine', requireSignedURLs: true }), { ...badRequest, code: 5410 });
  const expiry = new Date(Date.now() + 60_000).toISOString();
  await refused(context, () => create({ expiry }), { ...badRequest, code: 5400, pointer: '/expiry' });
});
