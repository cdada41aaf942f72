// Draws handwritten-style digits: the strokes of a digit are smooth curves through jittered points,
// bent, sheared, turned and moved at random, then inked with a pen of random width and some noise.
// Made so that the position and slant of a digit say nothing about its class: a linear model has a
// hard time, a convolutional one does not.

import { gaussian, generator } from "./random.mjs";

/** Width and height of a digit in pixels, as in MNIST. */
export const side = 28;

// Per digit the ways to write it; each is a list of strokes, each stroke its points as "x,y" in
// hundredths of the digit's width and height, y down.
const glyphs = [
  [["50,5 20,25 15,60 40,95 75,80 85,40 65,8 45,6"], ["60,8 30,15 25,55 45,92 70,70 75,30 50,5"]],
  [["50,5 50,50 50,95"], ["30,25 52,5 52,50 52,95"], ["32,22 50,5 50,92", "28,94 50,93 74,94"]],
  [
    ["20,25 45,5 75,25 60,55 20,92", "20,92 50,92 85,90"],
    ["20,20 55,5 75,30 50,65 20,85 30,72 55,88 85,90"],
  ],
  [["22,15 55,5 75,25 45,47 78,68 55,95 20,85"], ["20,8 75,8", "75,8 45,42 78,62 60,93 20,88"]],
  [
    ["35,5 25,35 18,58 50,60 85,56", "66,20 64,60 62,95"],
    ["62,95 64,50 64,6", "64,6 40,35 15,64", "15,64 50,65 88,63"],
  ],
  [
    ["75,7 30,8", "30,8 26,42", "26,42 60,38 80,65 55,94 20,86"],
    ["70,6 35,10 30,40 65,45 75,72 50,94 22,88"],
  ],
  [["65,5 35,30 20,65 40,94 75,80 65,55 25,68"], ["45,5 30,40 28,75 50,94 74,76 55,56 30,70"]],
  [
    ["18,8 50,8 82,7", "82,7 55,50 40,95"],
    ["18,14 50,7 80,9", "80,9 58,45 42,95", "35,50 72,48"],
  ],
  [
    ["72,18 45,5 28,25 50,47 76,70 50,95 24,74 50,47 72,18"],
    ["50,5 28,24 50,45 70,25 50,5", "50,45 22,72 50,95 78,72 50,45"],
  ],
  [
    ["75,30 50,6 25,28 45,50 74,32 70,60 50,95"],
    ["72,12 40,10 28,35 55,50 73,15", "73,15 70,55 68,95"],
  ],
].map((variants) => variants.map((strokes) => strokes.map(readPoints)));

/** The pixels (0–255) and the label of digit number `index` of the series that `seed` names. */
export function drawDigit(seed, index) {
  const random = generator(seed, index);
  const label = Math.floor(random() * 10);
  const variants = glyphs[label];
  const strokes = variants[Math.floor(random() * variants.length)];
  const place = placement(random);
  const distances = new Float32Array(side * side).fill(side);
  for (const stroke of strokes) {
    const points = stroke.map((point) => point.map((at) => at + 0.03 * gaussian(random)));
    const curve = smooth(points).map(place);
    for (let i = 1; i < curve.length; i++) markSegment(distances, curve[i - 1], curve[i]);
  }
  return { label, pixels: ink(distances, random) };
}

function readPoints(stroke) {
  return stroke.split(" ").map((point) => point.split(",").map((hundredths) => hundredths / 100));
}

/** A random map from the unit square to pixel coordinates: a bend, then shear, turn, size, move. */
function placement(random) {
  const angle = 0.15 * gaussian(random);
  const shear = 0.2 * gaussian(random);
  const width = 12 + 5 * random();
  const height = 17 + 4 * random();
  const moveX = 14 + 1.4 * gaussian(random);
  const moveY = 14 + 1.4 * gaussian(random);
  const bendX = 0.05 * gaussian(random);
  const bendY = 0.05 * gaussian(random);
  const phase = 2 * Math.PI * random();
  return ([x, y]) => {
    const bentX = x + bendX * Math.sin(5 * y + phase) - 0.5;
    const bentY = y + bendY * Math.sin(5 * x + phase) - 0.5;
    const u = width * (bentX - shear * bentY);
    const v = height * bentY;
    return [
      moveX + u * Math.cos(angle) - v * Math.sin(angle),
      moveY + u * Math.sin(angle) + v * Math.cos(angle),
    ];
  };
}

/** Points of a Catmull–Rom spline through the given points, six per span. */
function smooth(points) {
  const curve = [points[0]];
  for (let i = 0; i + 1 < points.length; i++) {
    const before = points[Math.max(i - 1, 0)];
    const [from, to] = [points[i], points[i + 1]];
    const after = points[Math.min(i + 2, points.length - 1)];
    for (let step = 1; step <= 6; step++) {
      const t = step / 6;
      curve.push([0, 1].map((axis) => spline(before[axis], from[axis], to[axis], after[axis], t)));
    }
  }
  return curve;
}

function spline(before, from, to, after, t) {
  const slope = (to - before) * t;
  const bend = (2 * before - 5 * from + 4 * to - after) * t ** 2;
  const twist = (3 * from - before - 3 * to + after) * t ** 3;
  return from + (slope + bend + twist) / 2;
}

/** Lowers the distance of every pixel near the segment to its distance from the segment. */
function markSegment(distances, [ax, ay], [bx, by]) {
  const reach = 3;
  const left = Math.max(0, Math.floor(Math.min(ax, bx) - reach));
  const right = Math.min(side - 1, Math.ceil(Math.max(ax, bx) + reach));
  const top = Math.max(0, Math.floor(Math.min(ay, by) - reach));
  const bottom = Math.min(side - 1, Math.ceil(Math.max(ay, by) + reach));
  const lengthSquared = (bx - ax) ** 2 + (by - ay) ** 2 + 1e-9;
  for (let y = top; y <= bottom; y++) {
    for (let x = left; x <= right; x++) {
      const along = ((x - ax) * (bx - ax) + (y - ay) * (by - ay)) / lengthSquared;
      const t = Math.min(1, Math.max(0, along));
      const distance = Math.hypot(x - ax - t * (bx - ax), y - ay - t * (by - ay));
      const pixel = y * side + x;
      if (distance < distances[pixel]) distances[pixel] = distance;
    }
  }
}

/** Turns distances from the pen's path into grey values with a soft edge and some noise. */
function ink(distances, random) {
  const halfWidth = 0.5 + 0.9 * random();
  const softness = 0.6 + 0.6 * random();
  const strength = 170 + 85 * random();
  const noise = 25 * random();
  return Uint8Array.from(distances, (distance) => {
    const coverage = Math.min(1, Math.max(0, (halfWidth + softness - distance) / softness));
    const grey = strength * coverage + noise * gaussian(random);
    return Math.min(255, Math.max(0, Math.round(grey)));
  });
}
