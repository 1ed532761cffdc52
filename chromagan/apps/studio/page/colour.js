// CIE Lab (D65) and sRGB, one colour at a time. Lab units, sRGB in 0 to 255.

const WHITE = [0.95047, 1, 1.08883];
const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
const curve = (v) => (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055);
const f = (t) => (t > 216 / 24389 ? Math.cbrt(t) : (24389 / 27 * t + 16) / 116);
const g = (t) => (t > 6 / 29 ? t ** 3 : (116 * t - 16) / (24389 / 27));

export function toLab([red, green, blue]) {
  const [r, g_, b] = [red, green, blue].map((v) => linear(v / 255));
  const x = f((0.4124564 * r + 0.3575761 * g_ + 0.1804375 * b) / WHITE[0]);
  const y = f(0.2126729 * r + 0.7151522 * g_ + 0.072175 * b);
  const z = f((0.0193339 * r + 0.119192 * g_ + 0.9503041 * b) / WHITE[2]);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

// null where sRGB cannot show it, unless it is to be cut off
export function toRgb([L, a, b], cut = false) {
  const fy = (L + 16) / 116;
  const [x, y, z] = [WHITE[0] * g(fy + a / 500), g(fy), WHITE[2] * g(fy - b / 200)];
  const rgb = [
    3.2404542 * x - 1.5371385 * y - 0.4985314 * z,
    -0.969266 * x + 1.8760108 * y + 0.041556 * z,
    0.0556434 * x - 0.2040259 * y + 1.0572252 * z,
  ];
  if (!cut && rgb.some((v) => v < -0.0005 || v > 1.0005)) return null;
  return rgb.map((v) => Math.round(255 * curve(Math.min(1, Math.max(0, v)))));
}

// The most chroma, at the same lightness and hue, that sRGB can show
export function fitted([L, a, b]) {
  if (toRgb([L, a, b])) return [L, a, b];
  let [low, high] = [0, 1];
  for (let i = 0; i < 14; i++) {
    const middle = (low + high) / 2;
    if (toRgb([L, a * middle, b * middle])) low = middle; else high = middle;
  }
  return [L, a * low, b * low];
}

export const shownAt = (L, [a, b]) => toRgb(fitted([L, a, b])) ?? [128, 128, 128].map(() => Math.round(255 * curve(g((L + 16) / 116))));
export const hex = (rgb) => "#" + rgb.map((v) => v.toString(16).padStart(2, "0")).join("");
export const parse = (text) => (/^#?[0-9a-f]{6}$/i.test(text) ? [...text.replace("#", "").matchAll(/../g)].map(([v]) => parseInt(v, 16)) : null);
