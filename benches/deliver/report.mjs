// What was measured, as tables and a picture.

import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const COLORS = { Darkroom: '#d1495b', 'Darkroom with libaom': '#edae49', sharp: '#30638e', ipx: '#8d99ae', thumbor: '#c9ada7' };

const title = ({ source, width, name }) => `${source} → ${width} ${name}`;
export const median = (values) => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)];
const mebibytes = (bytes) => `${(bytes / 2 ** 20).toFixed(0)} MiB`;

function table(results, concurrency) {
  const lines = [
    '| rendering | program | CPU ms | Darkroom’s CPU / this | per second | median ms | p99 ms | bytes | SSIMULACRA2 |',
    '|---|---|--:|--:|--:|--:|--:|--:|--:|',
  ];
  for (const { row, servers } of results) {
    for (const [name, { bytes, likeness, quality, at }] of Object.entries(servers)) {
      const { cpuMs, perSecond, p50, p99, ratios } = at[concurrency];
      const ratio = name === 'Darkroom' ? '' : median(ratios).toFixed(2);
      lines.push(`| ${name === 'Darkroom' ? title(row) : ''} | ${name}${quality ? `, quality=${quality}` : ''} | ${cpuMs.toFixed(1)} | ${ratio} | ${perSecond.toFixed(1)} `
        + `| ${p50.toFixed(1)} | ${p99.toFixed(1)} | ${bytes} | ${likeness.toFixed(2)} |`);
    }
  }
  return lines.join('\n');
}

/** The goals that the project has set itself, and what came of them. */
function goals(results) {
  const ratio = (result) => median(result.servers.sharp.at[1].ratios);
  const equal = results.filter(({ row }) => row.kind === 'equal' && row.name !== 'animated WebP');
  const lines = [];
  if (equal.length > 0) {
    const worst = equal.toSorted((a, b) => ratio(b) - ratio(a))[0];
    lines.push(`- Equal effort, CPU of sharp: median ${median(equal.map(ratio)).toFixed(2)} (goal 1.0), worst ${ratio(worst).toFixed(2)} `
      + `(goal 1.1): ${title(worst.row)}.`);
  }
  const webp = results.filter(({ row }) => row.name === 'WebP, default effort');
  if (webp.length > 0) lines.push(`- WebP, default effort, CPU of sharp's default: median ${median(webp.map(ratio)).toFixed(2)} (goal 0.65).`);
  const avif = results.filter(({ row }) => row.name === 'AVIF, default effort' && row.width === 400);
  if (avif.length > 0) {
    const libaomRatio = (result) => median(result.servers.sharp.at[1].libaomRatios);
    lines.push(`- AVIF at 400 px, default effort, no worse than sharp's: with the feature libaom median ${median(avif.map(libaomRatio)).toFixed(2)} `
      + `of its CPU (goal 0.35); without, ${median(avif.map(ratio)).toFixed(2)}.`);
  }
  const growth = results.map(({ servers }) => servers.Darkroom.at[16].cpuMs / servers.Darkroom.at[1].cpuMs);
  lines.push(`- CPU of a rendering with 16 clients against one: median ${median(growth).toFixed(2)} (goal 1.15).`);
  return lines.join('\n');
}

/** Bars of CPU time, each row's longest across. */
function picture(results) {
  const [left, bar, width] = [250, 9, 760];
  const parts = [];
  let y = 24;
  for (const { row, servers } of results) {
    const longest = Math.max(...Object.values(servers).map(({ at }) => at[1].cpuMs));
    parts.push(`<text x="${left - 8}" y="${y + 10}" text-anchor="end">${title(row)}</text>`);
    for (const [name, { at }] of Object.entries(servers)) {
      const length = (at[1].cpuMs / longest) * (width - left - 90);
      parts.push(`<rect x="${left}" y="${y}" width="${length.toFixed(1)}" height="${bar}" fill="${COLORS[name]}"/>`
        + `<text x="${(left + length + 4).toFixed(1)}" y="${y + 8}">${at[1].cpuMs.toFixed(0)} ms</text>`);
      y += bar + 2;
    }
    y += 7;
  }
  const legend = Object.entries(COLORS).map(([name, color], index) =>
    `<rect x="${left + index * 90}" y="6" width="9" height="9" fill="${color}"/><text x="${left + 13 + index * 90}" y="14">${name}</text>`);
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${y}" viewBox="0 0 ${width} ${y}" `
    + `font-family="sans-serif" font-size="10"><rect width="100%" height="100%" fill="#fff"/>${legend.join('')}${parts.join('')}</svg>\n`;
}

/** Writes what a measurement found between its marks in the page, docs/performance.md. */
export async function write(output, name, text) {
  const [begin, end] = [`<!-- bench ${name} -->`, `<!-- end of bench ${name} -->`];
  const page = join(output, 'performance.md');
  const old = await readFile(page, 'utf8');
  const [before, after] = [old.split(begin)[0], old.split(end)[1]];
  if (after === undefined) throw new Error(`${page} has no place for what ${name} measured`);
  await writeFile(page, `${before}${begin}\n\n${text}\n\n${end}${after}`);
}

/** Writes the tables into the page, and the picture beside it. */
export async function report({ output, results, memory, machine, rows, rounds, concurrency, date }) {
  const peaks = Object.entries(memory).map(([name, bytes]) => `${name} ${mebibytes(bytes)}`).join(', ');
  const tables = concurrency.map((clients) => `### ${clients} at a time\n\n${table(results, clients)}`);
  const text = `On ${date.toISOString().slice(0, 10)}, ${machine}; ${rows[0]} of ${rows[1]} rows, ${rounds} rounds, the programs in turn; ratios are medians of the rounds.
CPU time is that of all processes of a program. Peak memory of all their processes: ${peaks}.

${goals(results)}

![CPU time of a rendering, one at a time](performance/deliver.svg)

${tables.join('\n\n')}`;
  await write(output, 'deliver', text);
  await writeFile(join(output, 'performance/deliver.svg'), picture(results));
}
