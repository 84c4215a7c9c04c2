// Which part of an image a canvas shows. Its units are pixels of the page; column c of the image
// reaches from left + zoom * c to left + zoom * (c + 1).

const MOST_ZOOM = 40; // units for one pixel of the image
const clamp = (value, low, high) => Math.min(high, Math.max(low, value));

class View {
  constructor() {
    Object.assign(this, { width: 1, height: 1, size: [1, 1], zoom: 1, left: 0, top: 0, fitted: true });
  }

  get fit() {
    return Math.min(this.width / this.size[0], this.height / this.size[1]);
  }

  x(col) { return this.left + this.zoom * col; }

  y(row) { return this.top + this.zoom * row; }

  // [row, col] of a place, as real numbers; whole ones are the borders between pixels.
  at([x, y]) { return [(y - this.top) / this.zoom, (x - this.left) / this.zoom]; }

  pixel(place) {
    const [width, height] = this.size;
    const [row, col] = this.at(place);
    return [clamp(Math.floor(row), 0, height - 1), clamp(Math.floor(col), 0, width - 1)];
  }

  // [row0, col0, row1, col1] of what is seen, cut off at the image's border.
  seen() {
    const [width, height] = this.size;
    const [[row0, col0], [row1, col1]] = [this.at([0, 0]), this.at([this.width, this.height])];
    return [Math.max(0, row0), Math.max(0, col0), Math.min(height, row1), Math.min(width, col1)];
  }

  resize(width, height, size) {
    const middle = this.at([this.width / 2, this.height / 2]);
    const other = size.join() !== this.size.join();
    Object.assign(this, { width, height, size });
    if (other || this.fitted) this.show();
    else this.centre(middle);
  }

  // The whole image.
  show() {
    this.zoom = this.fit;
    this.settle();
  }

  centre([row, col]) {
    this.left = this.width / 2 - this.zoom * col;
    this.top = this.height / 2 - this.zoom * row;
    this.settle();
  }

  // Zoom by a factor; what is at the place stays there.
  zoomAt(factor, [x, y]) {
    const [row, col] = this.at([x, y]);
    this.zoom = clamp(this.zoom * factor, this.fit, Math.max(MOST_ZOOM, this.fit));
    this.left = x - this.zoom * col;
    this.top = y - this.zoom * row;
    this.settle();
  }

  pan(dx, dy) {
    this.left += dx;
    this.top += dy;
    this.settle();
  }

  // Bring a pixel into what is seen.
  follow([row, col]) {
    const [x, y] = [this.x(col + 0.5), this.y(row + 0.5)];
    const outside = x < 0 || y < 0 || x > this.width || y > this.height;
    if (outside) this.centre([row, col]);
  }

  settle() {
    this.fitted = this.zoom <= this.fit * (1 + 1e-6) || !Number.isFinite(this.zoom);
    if (this.fitted) this.zoom = this.fit;
    this.left = settled(this.left, this.width, this.zoom * this.size[0]);
    this.top = settled(this.top, this.height, this.zoom * this.size[1]);
  }
}

// No empty stripe beside what is larger than the canvas; what is smaller lies in the middle.
const settled = (start, room, length) =>
  length <= room ? (room - length) / 2 : clamp(start, room - length, 0);
