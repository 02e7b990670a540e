// Makes the sources that are measured out of Debian's wallpapers; once, into the folder that is named.

import { access, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import sharp from 'sharp';

const [, , wallpapers, folder] = process.argv;
const wallpaper = (path) => join(wallpapers, 'usr/share/backgrounds', path);
const BIRD = wallpaper('Kleiber_by_Lukas_Baubkus.jpg');
const PAINTING = wallpaper('mate/abstract/Elephants_5640x3172.jpg');
const GULP = wallpaper('mate/abstract/Gulp.png');

/** The largest part of a picture with sides of 4 to 3, at 12 megapixels. */
function twelve(path, position) {
  return sharp(path).resize(4000, 3000, { fit: 'cover', position });
}

/** A camera's way over a photograph, 30 frames. */
async function pan() {
  const frames = [];
  for (let index = 0; index < 30; index += 1) {
    const place = { left: 200 + index * 20, top: 400 + index * 10, width: 960, height: 720 };
    frames.push(await sharp(BIRD).extract(place).resize(480, 360).png().toBuffer());
  }
  return sharp(frames, { join: { animated: true } }).gif({ delay: Array(30).fill(80) }).toBuffer();
}

const SOURCES = {
  'bird12.jpg': () => twelve(BIRD, 'left').jpeg({ quality: 88 }).toBuffer(),
  'bird12p.jpg': () => twelve(BIRD, 'left').jpeg({ quality: 88, progressive: true }).toBuffer(),
  'paint12.jpg': () => twelve(PAINTING, 'centre').jpeg({ quality: 85 }).toBuffer(),
  'gulp2.png': () => sharp(GULP).ensureAlpha().png({ compressionLevel: 6 }).toBuffer(),
  'pan.gif': pan,
};

await mkdir(folder, { recursive: true });
for (const [name, make] of Object.entries(SOURCES)) {
  const path = join(folder, name);
  const isThere = await access(path).then(() => true, () => false);
  if (!isThere) await writeFile(path, await make());
}
