// The colours of a photo: what examples/onnx_only.py does, in JavaScript. A plane is {rows, columns, data}.

const MATRIX = [[0.412453, 0.35758, 0.180423], [0.212671, 0.71516, 0.072169], [0.019334, 0.119193, 0.950227]]
  .map((row) => row.map((value) => value / (row[0] + row[1] + row[2]))); // gray is X = Y = Z
const TO_RGB = inverse(MATRIX);
const GUIDE_PIXELS = 400_000; // that the chroma steps come to at most; the rest of the way is bicubic
const TO_LIGHT = Float32Array.from({ length: 256 }, (_, i) =>
  i / 255 > 0.04045 ? ((i / 255 + 0.055) / 1.055) ** 2.4 : i / 255 / 12.92);
const TO_CODE = Uint8Array.from({ length: 1 << 17 }, (_, i) => {
  const light = i / ((1 << 17) - 1);
  return Math.round(255 * (light > 0.0031308 ? 1.055 * light ** (1 / 2.4) - 0.055 : 12.92 * light));
});

function inverse([[a, b, c], [d, e, f], [g, h, i]]) {
  const columns = [[e * i - f * h, f * g - d * i, d * h - e * g], [c * h - b * i, a * i - c * g, b * g - a * h],
    [b * f - c * e, c * d - a * f, a * e - b * d]]; // of the adjugate
  const scale = a * columns[0][0] + b * columns[0][1] + c * columns[0][2];
  return [0, 1, 2].map((row) => columns.map((column) => column[row] / scale));
}

const plane = (rows, columns, data = new Float32Array(rows * columns)) => ({ rows, columns, data });

// Python's rounding: a half goes to the even number.
const round = (x) => (Math.abs(x % 1) === 0.5 ? 2 * Math.round(x / 2) : Math.round(x));

/** CIE L* in [0, 100] of RGBA bytes. */
export function lightness(rgba, rows, columns) {
  const L = plane(rows, columns);
  for (let i = 0; i < L.data.length; i++) {
    const y = [0, 1, 2].reduce((sum, c) => sum + MATRIX[1][c] * TO_LIGHT[rgba[4 * i + c]], 0);
    L.data[i] = 116 * (y > 0.008856 ? Math.cbrt(y) : 7.787 * y + 16 / 116) - 16;
  }
  return L;
}

/** For each of `size` new pixels the [old pixel, weight] pairs of the mean of exactly the stretch that it covers. */
function means(old, size) {
  return Array.from({ length: size }, (_, i) => {
    const low = (i * old) / size, high = ((i + 1) * old) / size, taps = [];
    for (let cell = Math.floor(low); cell < Math.min(high, old); cell++) {
      taps.push([cell, ((Math.min(high, cell + 1) - Math.max(low, cell)) * size) / old]);
    }
    return taps;
  });
}

/** The same of bicubic interpolation: a = -0.75, pixel centres aligned, edges repeated. */
function bicubic(old, size) {
  return Array.from({ length: size }, (_, i) => {
    const centre = ((i + 0.5) * old) / size - 0.5, first = Math.floor(centre);
    return [-1, 0, 1, 2].map((tap) => {
      const x = Math.abs(centre - first - tap);
      const weight = x <= 1 ? (1.25 * x - 2.25) * x * x + 1 : ((-0.75 * x + 3.75) * x - 6) * x + 3;
      return [Math.min(Math.max(first + tap, 0), old - 1), weight];
    });
  });
}

function resize(from, rows, columns, weights = means) {
  const tall = plane(rows, from.columns), made = plane(rows, columns);
  weights(from.rows, rows).forEach((taps, y) => {
    const start = y * from.columns;
    for (const [row, weight] of taps) {
      for (let x = 0; x < from.columns; x++) tall.data[start + x] += weight * from.data[row * from.columns + x];
    }
  });
  weights(from.columns, columns).forEach((taps, x) => {
    for (const [column, weight] of taps) {
      for (let y = 0; y < rows; y++) made.data[y * columns + x] += weight * tall.data[y * from.columns + column];
    }
  });
  return made;
}

/**
 * The chroma planes [a, b] in Lab units: painted at the working size, then brought up along the photo's edges.
 * `painting` takes L and `step` takes [a, b] and L; both answer [a, b].
 */
export async function paint(L, look, stride, painting, step) {
  const scale = look.size / Math.min(L.rows, L.columns);
  const sides = [L.rows, L.columns];
  const work = sides.map((n) => Math.max(stride, round(Math.min(n * scale, 4 * look.size) / stride) * stride));
  const grid = work.map((n) => n / stride);
  // The doublings that lead towards the photo, and the grid that they start from.
  const shrink = Math.min(1, Math.sqrt(GUIDE_PIXELS / (L.rows * L.columns)));
  const target = sides.map((n) => n * shrink);
  const steps = Math.max(0, round(Math.log2(Math.sqrt((target[0] * target[1]) / (grid[0] * grid[1])))));
  const start = steps ? target.map((n) => Math.floor(n / 2 ** steps)) : grid;
  const guide = steps ? resize(L, start[0] << steps, start[1] << steps) : L;
  const seen = guide.rows >= work[0] && guide.columns >= work[1] ? guide : L; // a small photo is enlarged
  const reduced = resize(seen, Math.min(seen.rows, work[0]), Math.min(seen.columns, work[1]));
  const small = resize(reduced, ...work, bicubic);
  small.data.forEach((value, i) => { small.data[i] = Math.min(Math.max(value, 0), 100); });
  let ab = (await painting(small)).map((one) => resize(one, ...start, bicubic));
  for (let octave = 1; octave <= steps; octave++) {
    ab = await step(ab, resize(guide, start[0] << octave, start[1] << octave));
  }
  for (const one of ab) one.data.forEach((value, i) => { one.data[i] = value * look.saturation; });
  return ab;
}

const uncurve = (f) => (f > 0.2068966 ? f ** 3 : (f - 16 / 116) / 7.787);

/** Lab to linear sRGB, into `rgb`; whether sRGB has the colour. */
function linear(L, a, b, rgb) {
  const f = (L + 16) / 116, x = uncurve(f + a / 500), y = uncurve(f), z = uncurve(f - b / 200);
  let inside = true;
  for (let c = 0; c < 3; c++) {
    rgb[c] = TO_RGB[c][0] * x + TO_RGB[c][1] * y + TO_RGB[c][2] * z;
    inside &&= rgb[c] >= -2e-6 && rgb[c] <= 1 + 2e-6;
  }
  return inside;
}

/** Write the colours over RGBA bytes; chroma that sRGB lacks at that lightness gives way, hue stays. */
export function join(L, ab, rgba) {
  const [a, b] = ab.map((one) => {
    const inside = resize(one, Math.min(one.rows, L.rows), Math.min(one.columns, L.columns));
    return resize(inside, L.rows, L.columns, bicubic).data;
  });
  const rgb = [0, 0, 0], last = TO_CODE.length - 1;
  for (let i = 0; i < L.data.length; i++) {
    if (!linear(L.data[i], a[i], b[i], rgb)) {
      let share = 0;
      for (let part = 0.5; part > 1e-5; part /= 2) { // towards the largest share of chroma that fits
        if (linear(L.data[i], a[i] * (share + part), b[i] * (share + part), rgb)) share += part;
      }
      linear(L.data[i], a[i] * share, b[i] * share, rgb);
    }
    for (let c = 0; c < 3; c++) rgba[4 * i + c] = TO_CODE[Math.round(Math.min(Math.max(rgb[c], 0), 1) * last)];
  }
}
