// Renderings per second, CPU time, memory, bytes and likeness of Darkroom and its peers, uncached, in turn.
//
// node bench.mjs BINARY BINARY_WITH_LIBAOM SOURCES PYTHON QUALITY OUTPUT; DARKROOM_BENCH_ROUNDS and DARKROOM_BENCH_ROWS
// (an expression for the names of rows) make it shorter.

import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import sharp from 'sharp';

import { cpuSeconds, peakBytes } from './processes.mjs';
import { median, report } from './report.mjs';
import * as servers from './servers.mjs';

const [, , binary, libaomBinary, folder, python, quality, output] = process.argv;
const ROUNDS = Number(process.env.DARKROOM_BENCH_ROUNDS ?? 5);
const CONCURRENCY = [1, 2, 16];
// Requests of one server in one round, and no more than take this long.
const REQUESTS = 12;
const ROUND_MS = 1_200;

const SOURCES = ['bird12.jpg', 'bird12p.jpg', 'paint12.jpg', 'gulp2.png', 'pan.gif'];

// How each program is asked. "Equal" is the same effort of the same encoder; "default" is what each does when it is not
// told; qualities are the same number, which means the same in JPEG and WebP.
const JPEG = {
  name: 'JPEG', kind: 'equal', darkroom: 'format=jpeg,quality=80', ipx: 'f_jpeg,q_80', thumbor: 'format(jpeg):quality(80)',
  sharp: { format: 'jpeg', options: { quality: 80, progressive: true } },
};
const BASELINE = {
  name: 'baseline JPEG', kind: 'equal', darkroom: 'format=baseline-jpeg,quality=80',
  sharp: { format: 'jpeg', options: { quality: 80 } },
};
const WEBP = {
  name: 'WebP', kind: 'equal', darkroom: 'format=webp,quality=80', sharp: { format: 'webp', options: { quality: 80, effort: 2 } },
};
const WEBP_DEFAULT = {
  name: 'WebP, default effort', kind: 'default', darkroom: 'format=webp,quality=80', ipx: 'f_webp,q_80',
  thumbor: 'format(webp):quality(80)', sharp: { format: 'webp', options: { quality: 80 } },
};
// In AVIF the same number means other things, so ours is the least that comes out no worse than sharp's.
const AVIF = {
  name: 'AVIF, default effort', kind: 'default', darkroom: 'format=avif', libaom: 'format=avif', isMatched: true, ipx: 'f_avif,q_50',
  thumbor: 'format(avif):quality(50)', sharp: { format: 'avif', options: { quality: 50 } },
};
const PNG = { name: 'PNG', kind: 'equal', darkroom: 'format=png-force', sharp: { format: 'png', options: { compressionLevel: 2 } } };
const ANIMATED = {
  name: 'animated WebP', kind: 'equal', darkroom: 'format=webp,quality=80',
  sharp: { format: 'webp', options: { quality: 80, effort: 2 }, animated: true },
};

const ALL_ROWS = [
  ...['bird12.jpg', 'bird12p.jpg', 'paint12.jpg'].flatMap((source) =>
    [400, 1200].flatMap((width) => [JPEG, BASELINE, WEBP, WEBP_DEFAULT].map((how) => ({ source, width, ...how })))),
  // Seconds for each at 1200 pixels, whatever the source.
  ...[['bird12.jpg', 400], ['bird12p.jpg', 400], ['paint12.jpg', 400], ['bird12.jpg', 1200]].map(([source, width]) => ({ source, width, ...AVIF })),
  ...[400, 1200].flatMap((width) => [WEBP, WEBP_DEFAULT, PNG].map((how) => ({ source: 'gulp2.png', width, ...how }))),
  { source: 'pan.gif', width: 400, ...ANIMATED },
];
const WANTED = new RegExp(process.env.DARKROOM_BENCH_ROWS ?? '');
const ROWS = ALL_ROWS.filter((row) => WANTED.test(`${row.source} ${row.width} ${row.name}`));

let turn = 0;

async function ask(server, row) {
  const url = server.ask(row.source, row, (turn += 1));
  const began = performance.now();
  const answer = await fetch(url);
  const body = Buffer.from(await answer.arrayBuffer());
  if (!answer.ok) throw new Error(`${server.name}: ${url}: ${answer.status} ${body.subarray(0, 200)}`);
  return { body, ms: performance.now() - began };
}

/** One server's part of a round. */
async function round(server, row, concurrency) {
  const [cpu, began] = [cpuSeconds(server.pid), performance.now()];
  const times = [];
  let left = Math.max(REQUESTS, concurrency * 2);
  const client = async () => {
    while (left > 0 && (performance.now() - began < ROUND_MS || times.length < concurrency)) {
      left -= 1;
      times.push((await ask(server, row)).ms);
    }
  };
  await Promise.all(Array.from({ length: concurrency }, client));
  const seconds = (performance.now() - began) / 1000;
  return { times, perSecond: times.length / seconds, cpuMs: ((cpuSeconds(server.pid) - cpu) * 1000) / times.length };
}

/** How like an answer is to the same picture resized without any short cut, by SSIMULACRA2. */
async function likeness(body, row, scratch) {
  const [reference, answer] = [join(scratch, 'reference.png'), join(scratch, 'answer.png')];
  const { width, height } = await sharp(body).metadata();
  const ground = { background: '#ffffff' };
  await sharp(join(folder, row.source)).rotate()
    .resize({ width, height, fit: 'fill', kernel: 'lanczos3', fastShrinkOnLoad: false })
    .flatten(ground).png().toFile(reference);
  await sharp(body).flatten(ground).png().toFile(answer);
  const { stdout } = await promisify(execFile)(quality, [reference, answer]);
  return Number(stdout);
}

/** The quality at which a server's answers are no worse than sharp's: the least such. */
async function matchedQuality(server, row, scratch) {
  const sharpServer = running.find(({ name }) => name === 'sharp');
  const goal = await likeness((await ask(sharpServer, row)).body, row, scratch);
  let [least, most] = [1, 100];
  while (least < most) {
    const middle = Math.floor((least + most) / 2);
    const { body } = await ask(server, withQuality(row, middle));
    if (await likeness(body, row, scratch) >= goal) most = middle;
    else least = middle + 1;
  }
  return least;
}

function withQuality(row, quality) {
  return { ...row, darkroom: `${row.darkroom},quality=${quality}`, libaom: `${row.libaom},quality=${quality}` };
}

const scratch = await mkdtemp(join(tmpdir(), 'darkroom-bench-'));
await writeFile(join(folder, 'thumbor.conf'), [
  `LOADER = 'thumbor.loaders.file_loader'`, `FILE_LOADER_ROOT_PATH = '${folder}'`, `STORAGE = 'thumbor.storages.no_storage'`,
  `ALLOW_UNSAFE_URL = True`, `MAX_PIXELS = 100000000`, `PROGRESSIVE_JPEG = True`, '',
].join('\n'));
const places = { folder, python, home: import.meta.dirname, sources: SOURCES };
const running = [];
try {
  running.push(await servers.darkroom({ ...places, binary, data: join(scratch, 'data') }));
  running.push(await servers.darkroomWithLibaom({ ...places, binary: libaomBinary, data: join(scratch, 'libaom') }));
  for (const start of [servers.sharpServer, servers.ipx, servers.thumbor]) running.push(await start(places));
  const results = [];
  for (const row of ROWS) {
    const taking = running.filter((server) => server.ask(row.source, row, 0));
    const result = { row, servers: {} };
    const asked = {};
    for (const server of taking) {
      const isMatched = row.isMatched && server.name.startsWith('Darkroom');
      const quality = isMatched ? await matchedQuality(server, row, scratch) : undefined;
      asked[server.name] = isMatched ? withQuality(row, quality) : row;
      const { body } = await ask(server, asked[server.name]);
      result.servers[server.name] = { bytes: body.length, likeness: await likeness(body, row, scratch), quality, at: {} };
    }
    for (const concurrency of CONCURRENCY) {
      const rounds = Object.fromEntries(taking.map((server) => [server.name, []]));
      for (let index = 0; index < ROUNDS; index += 1) {
        for (const server of taking) rounds[server.name].push(await round(server, asked[server.name], concurrency));
      }
      for (const [name, all] of Object.entries(rounds)) {
        const times = all.flatMap(({ times }) => times).toSorted((a, b) => a - b);
        result.servers[name].at[concurrency] = {
          cpuMs: median(all.map(({ cpuMs }) => cpuMs)),
          perSecond: median(all.map(({ perSecond }) => perSecond)),
          p50: times[Math.floor(times.length / 2)],
          p99: times[Math.min(times.length - 1, Math.floor(times.length * 0.99))],
          // Round by round, so that what slows the machine slows both.
          ratios: all.map(({ cpuMs }, at) => rounds.Darkroom[at].cpuMs / cpuMs),
          libaomRatios: rounds[servers.WITH_LIBAOM] && all.map(({ cpuMs }, at) => rounds[servers.WITH_LIBAOM][at].cpuMs / cpuMs),
        };
      }
    }
    results.push(result);
    const [ours, theirs] = [result.servers.Darkroom, result.servers.sharp];
    console.log(`${row.source} → ${row.width} ${row.name}: CPU ${ours.at[1].cpuMs.toFixed(1)} ms, sharp ${theirs.at[1].cpuMs.toFixed(1)} ms, `
      + `ratio ${median(theirs.at[1].ratios).toFixed(2)}, bytes ${ours.bytes} and ${theirs.bytes}, `
      + `SSIMULACRA2 ${ours.likeness.toFixed(1)} and ${theirs.likeness.toFixed(1)}`);
  }
  const memory = Object.fromEntries(running.map((server) => [server.name, peakBytes(server.pid)]));
  const machine = `${cpus()[0].model}, ${availableParallelism()} cores, Node ${process.version}`;
  await report({ output, results, memory, machine, rows: [ROWS.length, ALL_ROWS.length], rounds: ROUNDS, concurrency: CONCURRENCY, date: new Date() });
} finally {
  for (const server of running) server.stop();
  await rm(scratch, { recursive: true, force: true });
}
