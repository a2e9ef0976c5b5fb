// How a camera was held, out of the EXIF part of a JPEG file, and pictures turned upright by it.
// Phones store what the sensor saw and only note the turn.

import type { Picture } from './picture.ts';

/** 1 to 8 as EXIF numbers them; 1 = upright, also where nothing is said. */
export function orientationOf(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  // Segments: FF, marker, length with its own two bytes. The picture itself begins with FF DA.
  let at = 2;
  while (at + 4 <= view.byteLength && view.getUint8(at) === 0xff) {
    const marker = view.getUint8(at + 1);
    const length = view.getUint16(at + 2);
    if (marker === 0xda || length < 2) break;
    const isExif = marker === 0xe1 && length >= 16 && at + 2 + length <= view.byteLength;
    if (isExif && view.getUint32(at + 4) === 0x45786966) {
      return inTiff(new DataView(view.buffer, view.byteOffset + at + 10, length - 8));
    }
    at += 2 + length;
  }
  return 1;
}

/** The picture upright. */
export function turned(picture: Picture, orientation: number): Picture {
  if (orientation < 2 || orientation > 8) return picture;
  const { width, height, channels, data } = picture;
  const isOnSide = orientation >= 5;
  const [outWidth, outHeight] = isOnSide ? [height, width] : [width, height];
  const from = new Uint32Array(data.buffer, data.byteOffset, width * height);
  const out = new Uint32Array(width * height);
  // Where the first row and the first column of what is stored belong, EXIF 2.32, table 6.
  const isMirroredX = [2, 3, 7, 8].includes(orientation);
  const isMirroredY = [3, 4, 6, 7].includes(orientation);
  for (let y = 0; y < outHeight; y += 1) {
    for (let x = 0; x < outWidth; x += 1) {
      const [column, row] = isOnSide ? [y, x] : [x, y];
      const fromX = isMirroredX ? width - 1 - column : column;
      const fromY = isMirroredY ? height - 1 - row : row;
      out[y * outWidth + x] = from[fromY * width + fromX] ?? 0;
    }
  }
  return { width: outWidth, height: outHeight, channels, data: new Uint8Array(out.buffer) };
}

function inTiff(view: DataView): number {
  const isLittle = view.getUint16(0) === 0x4949;
  const directory = view.getUint32(4, isLittle);
  if (directory + 2 > view.byteLength) return 1;
  const count = view.getUint16(directory, isLittle);
  for (let entry = 0; entry < count; entry += 1) {
    const at = directory + 2 + entry * 12;
    if (at + 12 > view.byteLength) return 1;
    if (view.getUint16(at, isLittle) === 0x0112) return view.getUint16(at + 8, isLittle);
  }
  return 1;
}
