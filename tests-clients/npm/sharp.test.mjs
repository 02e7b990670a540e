// An independent program on the same photographs: what Darkroom resizes is what sharp resizes, and sharp can read
// whatever Darkroom writes.

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';

import { photo, sharp as load } from './sdk.mjs';
import { ACCOUNT_HASH, ACCOUNT_ID, API_TOKEN, startServer } from './server.mjs';

const sharp = load();

const PHOTOS = ['rocket.jpg', 'chelsea.png', 'coffee.png', 'astronaut.png', 'hubble_deep_field.jpg'];
// Likeness by structure, of 1; the goal of every fit.
const SSIM_MIN = 0.98;

// Each fit, and how sharp is asked for the same. Where a side follows from the other one, sharp is told the size that came
// out: halves of a pixel are rounded in another way there, and sizes have tests of their own.
const FITS = [
  ['scale-down', { fit: 'fill' }],
  ['contain', { fit: 'fill' }],
  ['scale-up', { fit: 'fill' }],
  ['cover', { fit: 'cover' }],
  ['crop', { fit: 'cover' }],
  ['aspect-crop', { fit: 'cover' }],
  ['pad', { fit: 'contain', background: '#ffffff' }],
  ['squeeze', { fit: 'fill' }],
];
// Smaller than every photograph: there the modes that never enlarge do as their siblings.
const SIZES = [[200, 200], [300, 120], [97, 211]];

let server;

before(async () => {
  server = await startServer();
  const api = `${server.baseUrl}/accounts/${ACCOUNT_ID}/images/v1`;
  const headers = { authorization: `Bearer ${API_TOKEN}` };
  const config = await fetch(`${api}/config`, { method: 'PATCH', headers, body: '{"flexible_variants":true}' });
  assert.equal(config.status, 200);
  for (const name of PHOTOS) {
    const form = new FormData();
    form.set('id', name);
    form.set('file', new Blob([await photo(name)]), name);
    assert.equal((await fetch(api, { method: 'POST', headers, body: form })).status, 200);
  }
});

after(() => server.stop());

async function delivered(name, options) {
  const answer = await fetch(`${server.origin}/${ACCOUNT_HASH}/${name}/${options}`);
  const body = Buffer.from(await answer.arrayBuffer());
  assert.equal(answer.status, 200, `${name} ${options}: ${body}`);
  return { body, type: answer.headers.get('content-type') };
}

/** Grey values of an image of any format. */
async function grey(image) {
  const { data, info } = await sharp(image).flatten({ background: '#ffffff' }).toColourspace('b-w').raw()
    .toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height, step: info.channels };
}

/** The mean structural similarity of two grey images over windows of 8 by 8, half of each shared with the next. */
function ssim(a, b) {
  assert.deepEqual([a.width, a.height], [b.width, b.height]);
  const [c1, c2] = [(0.01 * 255) ** 2, (0.03 * 255) ** 2];
  let [sum, windows] = [0, 0];
  for (let top = 0; top + 8 <= a.height; top += 4) {
    for (let left = 0; left + 8 <= a.width; left += 4) {
      let [sumA, sumB, squaresA, squaresB, products] = [0, 0, 0, 0, 0];
      for (let y = top; y < top + 8; y += 1) {
        for (let x = left; x < left + 8; x += 1) {
          const valueA = a.data[(y * a.width + x) * a.step];
          const valueB = b.data[(y * b.width + x) * b.step];
          sumA += valueA;
          sumB += valueB;
          squaresA += valueA * valueA;
          squaresB += valueB * valueB;
          products += valueA * valueB;
        }
      }
      const [meanA, meanB] = [sumA / 64, sumB / 64];
      const [varianceA, varianceB] = [squaresA / 64 - meanA ** 2, squaresB / 64 - meanB ** 2];
      const covariance = products / 64 - meanA * meanB;
      sum += ((2 * meanA * meanB + c1) * (2 * covariance + c2))
        / ((meanA ** 2 + meanB ** 2 + c1) * (varianceA + varianceB + c2));
      windows += 1;
    }
  }
  return sum / windows;
}

describe('sharp resizes the same', () => {
  for (const [fit, asked] of FITS) {
    it(`fit=${fit}`, async () => {
      for (const name of PHOTOS) {
        for (const [width, height] of SIZES) {
          if (fit === 'aspect-crop' || fit === 'crop') {
            const { width: w, height: h } = await sharp(await photo(name)).metadata();
            assert.ok(w >= width && h >= height, 'both cover');
          }
          const ours = await delivered(name, `fit=${fit},width=${width},height=${height},format=png-force`);
          const out = await sharp(ours.body).metadata();
          const theirs = await sharp(await photo(name)).rotate().resize(out.width, out.height, asked).png().toBuffer();
          const likeness = ssim(await grey(ours.body), await grey(theirs));
          assert.ok(likeness >= SSIM_MIN, `${name} ${fit} ${width}x${height}: ${likeness}`);
        }
      }
    });
  }
});

describe('sharp reads what is written', () => {
  for (const [format, type] of [
    ['avif', 'heif'],
    ['webp', 'webp'],
    ['jpeg', 'jpeg'],
    ['baseline-jpeg', 'jpeg'],
    ['png-force', 'png'],
  ]) {
    it(`format=${format}`, async () => {
      for (const name of PHOTOS) {
        const plain = await delivered(name, 'width=240,format=png-force');
        const { body } = await delivered(name, `width=240,format=${format},quality=90`);
        const found = await sharp(body).metadata();
        assert.deepEqual([found.format, found.width], [type, 240]);
        const likeness = ssim(await grey(body), await grey(plain.body));
        assert.ok(likeness >= 0.9, `${name} as ${format}: ${likeness}`);
      }
    });
  }

  it('an animation keeps its frames', async () => {
    const frames = [0, 80, 160].map((grey) => sharp({
      create: { width: 64, height: 48, channels: 3, background: { r: grey, g: 0, b: 0 } },
    }).png().toBuffer());
    const gif = await sharp(await Promise.all(frames), { join: { animated: true } })
      .gif({ delay: [100, 200, 300], loop: 2 }).toBuffer();
    const form = new FormData();
    form.set('id', 'moving.gif');
    form.set('file', new Blob([gif]), 'moving.gif');
    const headers = { authorization: `Bearer ${API_TOKEN}` };
    const url = `${server.baseUrl}/accounts/${ACCOUNT_ID}/images/v1`;
    assert.equal((await fetch(url, { method: 'POST', headers, body: form })).status, 200);
    for (const [options, format] of [['width=32', 'gif'], ['width=32,format=webp', 'webp']]) {
      const { body } = await delivered('moving.gif', options);
      const found = await sharp(body, { animated: true }).metadata();
      assert.deepEqual([found.format, found.pages, found.width, found.pageHeight], [format, 3, 32, 24]);
      assert.deepEqual([found.delay, found.loop], [[100, 200, 300], 2]);
    }
    const { body } = await delivered('moving.gif', 'width=32,format=png-force');
    assert.equal((await sharp(body).metadata()).pages, undefined);
  });
});
