// A photo's file in, a PNG out, away from the page's own thread. Everything comes from this folder.

import * as ort from "./node_modules/onnxruntime-web/dist/ort.wasm.min.mjs";
import { join, lightness, paint } from "./colour.mjs";

const SOURCE = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia";
const utf8 = new TextEncoder(), text = new TextDecoder();

async function load(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name}: ${answer.status}; write it with chromagan export --onnx (docs/export.md)`);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  return { told: metadata(bytes), session: await ort.InferenceSession.create(bytes) };
}

/** The fields of a protocol buffer message: [number, bytes or value]. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    let value = 0, scale = 1;
    for (; bytes[at] & 128; scale *= 128) value += (bytes[at++] & 127) * scale;
    return value + bytes[at++] * scale;
  };
  while (at < bytes.length) {
    const tag = varint(), kind = tag & 7;
    const size = kind === 2 ? varint() : { 0: 0, 1: 8, 5: 4 }[kind];
    yield [tag >>> 3, kind === 0 ? varint() : bytes.subarray(at, at + size)];
    at += size;
  }
}

/** What an ONNX file says of itself (field 14 of the model: keys and values), which onnxruntime-web does not tell. */
function metadata(bytes) {
  const entries = [...fields(bytes)].filter(([number]) => number === 14);
  return Object.fromEntries(entries.map(([, entry]) => [...fields(entry)].map(([, part]) => text.decode(part))));
}

const tensor = (planes) => {
  const { rows, columns } = planes[0], data = new Float32Array(planes.length * rows * columns);
  planes.forEach((one, i) => data.set(one.data, i * rows * columns));
  return new ort.Tensor("float32", data, [1, planes.length, rows, columns]);
};

const planes = ({ data, dims: [, count, rows, columns] }) =>
  Array.from({ length: count }, (_, i) => ({ rows, columns, data: data.slice(i * rows * columns, (i + 1) * rows * columns) }));

/** A PNG with our mark behind its header: model, weights, software, and that a network coloured it. */
async function marked(png, told) {
  const packet = `<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
    xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" Iptc4xmpExt:DigitalSourceType="${SOURCE}"
    xmlns:chromagan="http://ns.chromagan/1.0/" chromagan:Model="${told.model}"
    chromagan:WeightsSha256="${told.sha256}" chromagan:Software="${told.software}"/></rdf:RDF>`;
  const body = utf8.encode(`iTXtXML:com.adobe.xmp\0\0\0\0\0${packet}`), chunk = new Uint8Array(body.length + 8);
  const view = new DataView(chunk.buffer);
  view.setUint32(0, body.length - 4);
  chunk.set(body, 4);
  view.setUint32(body.length + 4, crc(body));
  return new Blob([png.slice(0, 33), chunk, png.slice(33)], { type: "image/png" }); // 8 signature, 25 IHDR
}

function crc(bytes) {
  let sum = ~0;
  for (const byte of bytes) {
    sum ^= byte;
    for (let bit = 0; bit < 8; bit++) sum = (sum >>> 1) ^ (sum & 1 && 0xedb88320);
  }
  return ~sum >>> 0;
}

const graphs = Promise.all([load("chromagan.onnx"), load("chroma_step.onnx")]);
graphs.catch(() => {}); // told with the first photo

async function colour(file) {
  const [painting, step] = await graphs;
  // Upright, as its EXIF says, and in sRGB, as its profile says.
  const bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), context = canvas.getContext("2d");
  context.drawImage(bitmap, 0, 0);
  const photo = context.getImageData(0, 0, canvas.width, canvas.height);
  const L = lightness(photo.data, photo.height, photo.width);
  const ab = await paint(
    L, JSON.parse(painting.told.look), Number(painting.told.ab_stride),
    async (small) => planes((await painting.session.run({ L: tensor([small]) })).ab),
    async (coarse, guide) => planes((await step.session.run({ ab: tensor(coarse), L: tensor([guide]) })).finer_ab),
  );
  join(L, ab, photo.data);
  context.putImageData(photo, 0, 0);
  return marked(await canvas.convertToBlob({ type: "image/png" }), painting.told);
}

self.onmessage = async ({ data: { file, number } }) => {
  const start = performance.now();
  try {
    const png = await colour(file);
    self.postMessage({ number, png, seconds: (performance.now() - start) / 1000 });
  } catch (error) {
    self.postMessage({ number, error: String(error.message ?? error) });
  }
};
