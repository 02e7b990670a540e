// Uploads, in every shape in which the client sends them.

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createServer } from 'node:http';
import { test } from 'node:test';

import { ACCOUNT_HASH } from './server.mjs';
import { Cloudflare, PIXEL, photo, pixelFile, refused, toFile, useServer } from './sdk.mjs';

// Origins are on this machine; a proxy that nobody serves would be the end of every call to them.
const context = useServer(undefined, {
  flags: ['--allow-private-sources', '127.0.0.0/8'],
  env: { HTTP_PROXY: 'http://127.0.0.1:9', http_proxy: 'http://127.0.0.1:9', ALL_PROXY: 'http://127.0.0.1:9' },
});
const { account_id } = context;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

test('a photograph with everything that can be said about it', async () => {
  const image = await context.client.images.v1.create({
    account_id,
    id: 'cats/chelsea',
    file: new File([await photo('chelsea.png')], 'chelsea.png', { type: 'image/png' }),
    creator: 'user123',
    metadata: JSON.stringify({ status: 'active', priority: 5, enabled: true, region: { name: 'eu' }, tags: ['a', 1] }),
    requireSignedURLs: false,
  });
  const { uploaded, ...rest } = image;
  assert.match(uploaded, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual(rest, {
    id: 'cats/chelsea',
    filename: 'chelsea.png',
    creator: 'user123',
    meta: { status: 'active', priority: 5, enabled: true, region: { name: 'eu' }, tags: ['a', 1] },
    requireSignedURLs: false,
    variants: [`${context.origin}/${ACCOUNT_HASH}/cats/chelsea/public`],
  });
});

test('metadata as an object arrives as text, with its shape', async () => {
  const image = await context.upload({
    metadata: { status: 'a|b c', priority: 5, enabled: true, region: { name: 'eu', zone: { id: 3 } }, tags: ['x', 2] },
  });
  assert.deepEqual(image.meta, {
    status: 'a|b c',
    priority: '5',
    enabled: 'true',
    region: { name: 'eu', zone: { id: '3' } },
    tags: ['x', '2'],
  });
});

test('a plain upload has a generated id and nothing that was not said', async () => {
  const image = await context.upload();
  assert.match(image.id, UUID);
  assert.deepEqual(Object.keys(image).sort(), ['filename', 'id', 'requireSignedURLs', 'uploaded', 'variants']);
});

test('an image with a generated id can be private', async () => {
  const image = await context.upload({ requireSignedURLs: true });
  assert.equal(image.requireSignedURLs, true);
});

test('an empty creator and empty metadata are none', async () => {
  const image = await context.upload({ creator: '', metadata: '' });
  assert.equal('creator' in image, false);
  assert.equal('meta' in image, false);
});

test('every kind of file that the client takes', async () => {
  const path = new URL('../../tests/photos/rocket.jpg', import.meta.url);
  const streamed = await context.upload({ file: createReadStream(path) });
  assert.equal(streamed.filename, 'rocket.jpg');
  const wrapped = await context.upload({ file: await toFile(PIXEL, 'wrapped.png') });
  assert.equal(wrapped.filename, 'wrapped.png');
  const answered = await context.upload({ file: new Response(PIXEL) });
  assert.match(answered.id, UUID);
  for (const [{ id }, bytes] of [[streamed, await photo('rocket.jpg')], [wrapped, PIXEL], [answered, PIXEL]]) {
    const blob = await context.client.images.v1.blobs.get(id, { account_id });
    assert.deepEqual(Buffer.from(await blob.arrayBuffer()), Buffer.from(bytes));
  }
});

test('a raw buffer, which the client takes apart, is refused and harms nobody', async () => {
  const badRequest = { type: Cloudflare.BadRequestError, status: 400, code: 5400 };
  await refused(context, () => context.upload({ file: PIXEL }), badRequest);
  await refused(context, () => context.upload({ file: Buffer.alloc(2_000, 1) }), badRequest);
  assert.match((await context.upload()).id, UUID);
});

test('neither file nor url', async () => {
  await refused(context, () => context.client.images.v1.create({ account_id }), {
    type: Cloudflare.BadRequestError,
    status: 400,
    code: 5400,
    message: 'Exactly one of file and url is required',
  });
});

test('a file of no bytes', async () => {
  await refused(context, () => context.upload({ file: new File([], 'empty.png') }), {
    type: Cloudflare.BadRequestError,
    status: 400,
    code: 5400,
  });
});

test('a file that is no image', async () => {
  const error = await refused(context, () => context.upload({ file: new File(['just words'], 'words.png') }), {
    type: Cloudflare.APIError,
    status: 415,
    code: 5455,
  });
  assert.match(error.errors[0].message, /^Uploaded image must have image\/jpeg/);
});

test('half a photograph', async () => {
  const bytes = await photo('chelsea.png');
  await refused(context, () => context.upload({ file: new File([bytes.subarray(0, bytes.length / 2)], 'half.png') }), {
    type: Cloudflare.BadRequestError,
    status: 400,
    code: 5400,
    message: 'images.create: bad image format',
  });
});

test('a file above the limit', async () => {
  await refused(context, () => context.upload({ file: new File([PIXEL, Buffer.alloc(10 << 20)], 'large.png') }), {
    type: Cloudflare.APIError,
    status: 413,
    code: 7011,
    message: 'Request entity is too large',
  });
});

test('metadata that is no object, or too much', async () => {
  const badRequest = { type: Cloudflare.BadRequestError, status: 400, code: 5400 };
  for (const metadata of ['not JSON', '[1]', '5', 'null', '"text"', 5, ['a']]) {
    await refused(context, () => context.upload({ metadata }), badRequest);
  }
  await refused(context, () => context.upload({ metadata: JSON.stringify({ a: 'x'.repeat(1_017) }) }), {
    ...badRequest,
    message: 'Metadata must not exceed 1024 bytes',
  });
  const most = await context.upload({ metadata: JSON.stringify({ a: 'x'.repeat(1_016) }) });
  assert.equal(most.meta.a.length, 1_016);
});

test('ids that cannot be', async () => {
  const invalid = { type: Cloudflare.BadRequestError, status: 400, code: 5411 };
  const ids = ['/a', 'a/', 'a//b', '../a', 'a/./b', 'a\u0000b', 'stats', 'page.html', 'x'.repeat(1_025)];
  for (const id of [...ids, '8F14E45F-ceea-4e7a-9c1b-2d3a5b6c7d12']) {
    await refused(context, () => context.upload({ id }), invalid);
  }
});

test('a private image with an id of its own', async () => {
  await refused(context, () => context.upload({ id: 'mine', requireSignedURLs: true }), {
    type: Cloudflare.BadRequestError,
    status: 400,
    code: 5410,
  });
});

test('an id that is taken is a conflict, and the client does not send the file again', async () => {
  const first = await context.upload({ id: 'taken', creator: 'first' });
  await refused(context, () => context.upload({ id: 'taken', creator: 'second' }), {
    type: Cloudflare.ConflictError,
    status: 409,
    code: 5409,
    message: 'Resource already exists. Verify the resource information and try again.',
  });
  assert.deepEqual(await context.client.images.v1.get('taken', { account_id }), first);
});

test('of simultaneous uploads of one id exactly one succeeds', async () => {
  const outcomes = await Promise.allSettled(
    Array.from({ length: 8 }, (_, i) => context.upload({ id: 'race', creator: `racer-${i}` })),
  );
  const won = outcomes.filter(({ status }) => status === 'fulfilled');
  assert.equal(won.length, 1);
  for (const { reason } of outcomes.filter(({ status }) => status === 'rejected')) {
    assert.equal(reason.constructor, Cloudflare.ConflictError);
  }
  assert.equal((await context.client.images.v1.get('race', { account_id })).creator, won[0].value.creator);
});

test('a photograph from where it is, behind a redirect and a password', async () => {
  const bytes = await photo('chelsea.png');
  const origin = createServer(({ url, headers }, answer) => {
    if (headers.authorization !== `Basic ${btoa('me:word')}`) answer.writeHead(401).end();
    else if (url === '/cats/chelsea%20.png?large') answer.writeHead(307, { location: '../file' }).end();
    else answer.writeHead(url === '/file' ? 200 : 404, { 'content-type': 'text/html' }).end(bytes);
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const { port } = origin.address();
  const create = (url, params) => context.client.images.v1.create({ account_id, url, ...params });
  try {
    const image = await create(`http://me:word@127.0.0.1:${port}/cats/chelsea%20.png?large`, { metadata: { a: 'b' } });
    assert.equal(image.filename, 'chelsea .png');
    assert.deepEqual(image.meta, { a: 'b' });
    const blob = await context.client.images.v1.blobs.get(image.id, { account_id });
    assert.deepEqual(Buffer.from(await blob.arrayBuffer()), bytes);
    await refused(context, () => create(`http://127.0.0.1:${port}/file`), {
      type: Cloudflare.BadRequestError,
      status: 400,
      code: 5454,
      message: 'Fetching the url failed: its host answered with status 401',
    });
    await refused(context, () => create(`http://[::1]:${port}/file`), {
      type: Cloudflare.BadRequestError,
      status: 400,
      code: 5454,
      message: 'Fetching the url failed: its host has no address that may be called',
    });
  } finally {
    origin.closeAllConnections?.();
    origin.close();
  }
});

test('both file and url', async () => {
  const call = () => context.client.images.v1.create({ account_id, url: 'https://example.com/a.png', file: pixelFile() });
  await refused(context, call, { type: Cloudflare.BadRequestError, status: 400, code: 5400 });
});
