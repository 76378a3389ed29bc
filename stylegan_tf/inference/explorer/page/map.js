// The map of seeds: a plane with a seed at every whole position, 100 seeds a row, dragged under a cross in its middle.

const COLUMNS = 100;
const NUM_SEEDS = 2 ** 32;
const CELL = 72; // pixels from seed to seed

export const seedAt = (x, y) => ((x + COLUMNS * y) % NUM_SEEDS + NUM_SEEDS) % NUM_SEEDS;
export const placeOf = (seed) => ({ x: seed % COLUMNS, y: Math.floor(seed / COLUMNS) });

// Pairs of a seed and its weight: the four neighbours of a place, or one where the place is a seed.
export function blendAt(x, y) {
  const [left, top] = [Math.floor(x), Math.floor(y)];
  const [right, down] = [x - left, y - top];
  const corners = [
    [seedAt(left, top), (1 - right) * (1 - down)],
    [seedAt(left + 1, top), right * (1 - down)],
    [seedAt(left, top + 1), (1 - right) * down],
    [seedAt(left + 1, top + 1), right * down],
  ];
  return corners.filter(([, weight]) => weight > 1e-6);
}

export class SeedMap {
  // onMove(x, y, isFinal) is called while the map is dragged, and at the end.
  constructor(canvas, onMove) {
    this.canvas = canvas;
    this.pictures = new Map(); // seed to ImageBitmap
    this.x = this.y = 0;
    let last = null;
    canvas.addEventListener("pointerdown", (event) => {
      canvas.setPointerCapture(event.pointerId);
      last = event;
    });
    canvas.addEventListener("pointermove", (event) => {
      if (!last) return;
      const [x, y] = [this.x - (event.clientX - last.clientX) / CELL, this.y - (event.clientY - last.clientY) / CELL];
      last = event;
      onMove(x, y, false);
    });
    for (const end of ["pointerup", "pointercancel"]) {
      canvas.addEventListener(end, () => {
        if (last) onMove(this.x, this.y, true);
        last = null;
      });
    }
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  // Whole places that can be seen, the nearest first.
  visible() {
    const [columns, rows] = [this.canvas.clientWidth / CELL / 2, this.canvas.clientHeight / CELL / 2];
    const places = [];
    for (let y = Math.ceil(this.y - rows - 0.5); y <= this.y + rows + 0.5; y++) {
      for (let x = Math.ceil(this.x - columns - 0.5); x <= this.x + columns + 0.5; x++) places.push({ x, y, seed: seedAt(x, y) });
    }
    const distance = (place) => (place.x - this.x) ** 2 + (place.y - this.y) ** 2;
    return places.sort((first, second) => distance(first) - distance(second));
  }

  moveTo(x, y) {
    this.x = x;
    this.y = y;
    this.draw();
  }

  draw() {
    const { canvas } = this;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = width * scale;
    canvas.height = height * scale;
    const style = getComputedStyle(canvas);
    const [ink, line] = ["--ink", "--line"].map((name) => style.getPropertyValue(name));
    const draw = canvas.getContext("2d");
    draw.scale(scale, scale);
    draw.imageSmoothingEnabled = false;
    draw.textAlign = "center";
    draw.font = "11px system-ui, sans-serif";
    for (const { x, y, seed } of this.visible()) {
      const [left, top] = [width / 2 + (x - this.x) * CELL, height / 2 + (y - this.y) * CELL];
      const picture = this.pictures.get(seed);
      draw.strokeStyle = line;
      draw.lineWidth = 1;
      draw.strokeRect(left - 26, top - 30, 52, 52);
      if (picture) draw.drawImage(picture, left - 26, top - 30, 52, 52);
      draw.fillStyle = ink;
      draw.fillText(seed < 1e7 ? seed : `…${String(seed).slice(-6)}`, left, top + 34);
    }
    draw.beginPath();
    draw.arc(width / 2, height / 2, 9, 0, 2 * Math.PI);
    draw.moveTo(width / 2 - 15, height / 2);
    draw.lineTo(width / 2 + 15, height / 2);
    draw.moveTo(width / 2, height / 2 - 15);
    draw.lineTo(width / 2, height / 2 + 15);
    for (const [colour, thickness] of [["#fff", 5], ["#c2185b", 2]]) {
      draw.strokeStyle = colour; // white around red: visible on any picture
      draw.lineWidth = thickness;
      draw.stroke();
    }
  }
}
