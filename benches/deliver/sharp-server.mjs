// sharp behind Node's own HTTP server: what an application that resizes by itself would write.
// GET /{file}?width=…&format=…&options={JSON} with a folder as the first word, a port as the second.

import { createServer } from 'node:http';
import { join } from 'node:path';

import sharp from 'sharp';

const [, , folder, port] = process.argv;
sharp.cache(false);

createServer(async (request, response) => {
  try {
    const url = new URL(request.url, 'http://localhost');
    const format = url.searchParams.get('format');
    const options = JSON.parse(url.searchParams.get('options') ?? '{}');
    const animated = url.searchParams.has('animated');
    const body = await sharp(join(folder, url.pathname.slice(1)), { animated })
      .rotate().resize({ width: Number(url.searchParams.get('width')), withoutEnlargement: true })
      .toFormat(format, options).toBuffer();
    response.writeHead(200, { 'content-type': `image/${format}`, 'content-length': body.length }).end(body);
  } catch (error) {
    response.writeHead(500).end(String(error));
  }
}).listen(Number(port), '127.0.0.1');
