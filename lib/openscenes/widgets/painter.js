// What a canvas paints: the image, the masks over it, and the marks of a user. Pen units are those
// of the view.

const GROUND = "#8c8c8c33"; // beside an image that does not fill its canvas
const PIXELS_SEEN = 4; // units for a pixel from where on its square is seen

class Painter {
  constructor(canvas, view, model) {
    Object.assign(this, { canvas, view, model, pen: canvas.getContext("2d") });
    this.layers = { image: null, overlay: null, detail: null, detail_overlay: null };
    this.filtered = {}; // images with contrast and brightness changed, by layer
  }

  paint(marks) {
    const { pen, canvas, view, model } = this;
    pen.setTransform(1, 0, 0, 1, 0, 0);
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.setTransform(canvas.width / view.width, 0, 0, canvas.height / view.height, 0, 0);
    pen.fillStyle = GROUND;
    pen.fillRect(0, 0, view.width, view.height);
    const [width, height] = view.size;
    const [whole, part] = [[0, 0, height, width], model.get("detail_box")];
    this.stretched(this.seen("image"), whole);
    if (part.length) this.stretched(this.seen("detail"), part);
    if (model.get("hide")) return;
    pen.globalAlpha = model.get("opacity");
    pen.save();
    if (part.length) this.leaveOut(part);
    this.stretched(this.layers.overlay, whole);
    pen.restore();
    if (part.length) this.stretched(this.layers.detail_overlay, part);
    pen.globalAlpha = 1;
    this.marks(marks);
  }

  stretched(picture, [row0, col0, row1, col1]) {
    if (!picture) return;
    const { pen, view } = this;
    const units = (view.zoom * (col1 - col0)) / picture.width; // for one pixel of the picture
    pen.imageSmoothingEnabled = picture.isMask ? units < 1 : units < PIXELS_SEEN;
    pen.imageSmoothingQuality = "medium";
    const sides = [view.zoom * (col1 - col0), view.zoom * (row1 - row0)];
    pen.drawImage(picture.bitmap, view.x(col0), view.y(row0), ...sides);
  }

  leaveOut([row0, col0, row1, col1]) {
    const { pen, view } = this;
    pen.beginPath();
    pen.rect(0, 0, view.width, view.height);
    pen.rect(view.x(col0), view.y(row0), view.zoom * (col1 - col0), view.zoom * (row1 - row0));
    pen.clip("evenodd");
  }

  seen(name) {
    const [picture, model] = [this.layers[name], this.model];
    const filter = `contrast(${model.get("contrast")}) brightness(${model.get("brightness")})`;
    if (!picture || filter === "contrast(1) brightness(1)") return picture;
    const kept = this.filtered[name];
    if (kept?.of === picture && kept.filter === filter) return kept;
    const bitmap = document.createElement("canvas");
    Object.assign(bitmap, { width: picture.width, height: picture.height });
    const pen = bitmap.getContext("2d");
    pen.filter = filter;
    pen.drawImage(picture.bitmap, 0, 0);
    this.filtered[name] = { ...picture, bitmap, of: picture, filter };
    return this.filtered[name];
  }

  marks({ box, clicks, dashed, corner, crosshair, strokes, rings, held, ring, handles }) {
    for (const stroke of strokes) this.stroke(stroke);
    for (const one of rings) this.ring(one);
    if (held) this.square(this.view.x(held[1] + 0.5), this.view.y(held[0] + 0.5), 5, "click");
    if (box.length) this.frame(box, [], handles);
    if (dashed) this.frame(dashed, [5, 4], false);
    if (corner) this.cross(corner, 7);
    for (const [row, col, sign] of clicks) this.disk(row, col, sign);
    if (crosshair) this.cross(crosshair, 12);
    if (ring) this.circle(ring);
  }

  // Light on dark, so that it is seen on any ground.
  twice(stroke) {
    const { pen, model } = this;
    for (const [colour, width] of [["#000000", 4], [model.get("colours").box, 2]]) {
      pen.strokeStyle = colour;
      pen.lineWidth = width;
      stroke();
    }
  }

  frame([row0, col0, row1, col1], dashes, handles) {
    const { pen, view } = this;
    const [left, top] = [view.x(col0), view.y(row0)];
    const [width, height] = [view.zoom * (col1 - col0), view.zoom * (row1 - row0)];
    pen.setLineDash(dashes);
    this.twice(() => pen.strokeRect(left, top, width, height));
    pen.setLineDash([]);
    if (!handles) return;
    for (const x of [left, left + width]) for (const y of [top, top + height]) this.square(x, y);
  }

  square(x, y, arm = 4, colour = "box") {
    const { pen, model } = this;
    pen.fillStyle = model.get("colours")[colour];
    pen.strokeStyle = "#000000";
    pen.lineWidth = 1.5;
    pen.beginPath();
    pen.rect(x - arm, y - arm, 2 * arm, 2 * arm);
    pen.fill();
    pen.stroke();
  }

  cross([row, col], arm) {
    const [x, y] = [this.view.x(col + 0.5), this.view.y(row + 0.5)];
    this.twice(() => this.lines([x - arm, y, x + arm, y], [x, y - arm, x, y + arm]));
  }

  circle({ place: [x, y], radius }) {
    const { pen, view } = this;
    this.twice(() => {
      pen.beginPath();
      pen.arc(x, y, Math.max(1, radius * view.zoom), 0, 2 * Math.PI);
      pen.stroke();
    });
  }

  // Points are centres of pixels here, as in the log.
  stroke({ points, radius, sign }) {
    const { pen, view, model } = this;
    pen.globalAlpha = 0.6 * model.get("opacity");
    pen.strokeStyle = sign > 0 ? model.get("colours").brush : "#ffffff";
    pen.lineWidth = Math.max(1, 2 * radius * view.zoom);
    [pen.lineCap, pen.lineJoin] = ["round", "round"];
    this.path(points, false);
    pen.stroke();
    pen.globalAlpha = 1;
    [pen.lineCap, pen.lineJoin] = ["butt", "miter"];
  }

  ring({ points, open }) {
    this.twice(() => { this.path(points, !open); this.pen.stroke(); });
    for (const [row, col] of points) this.square(this.view.x(col + 0.5), this.view.y(row + 0.5), 3);
  }

  path(points, closed) {
    const { pen, view } = this;
    pen.beginPath();
    const [[row, col]] = points;
    pen.moveTo(view.x(col + 0.5), view.y(row + 0.5));
    for (const [row, col] of points) pen.lineTo(view.x(col + 0.5), view.y(row + 0.5));
    if (closed) pen.closePath();
  }

  lines(...segments) {
    const { pen } = this;
    pen.beginPath();
    for (const [x0, y0, x1, y1] of segments) {
      pen.moveTo(x0, y0);
      pen.lineTo(x1, y1);
    }
    pen.stroke();
  }

  // Plus in a filled disk, minus in a white one: told apart without colour.
  disk(row, col, sign) {
    const { pen, view, model } = this;
    const [x, y] = [view.x(col + 0.5), view.y(row + 0.5)];
    pen.beginPath();
    pen.arc(x, y, 7, 0, 2 * Math.PI);
    pen.fillStyle = sign > 0 ? model.get("colours").click : "#ffffff";
    pen.fill();
    pen.lineWidth = 1.5;
    pen.strokeStyle = "#000000";
    pen.stroke();
    pen.lineWidth = 2;
    if (sign > 0) this.lines([x - 4, y, x + 4, y], [x, y - 4, x, y + 4]);
    else this.lines([x - 4, y, x + 4, y]);
  }
}

// A decoded picture with its size; null for no bytes.
async function decoded(bytes, isMask) {
  if (!bytes || !bytes.byteLength) return null;
  const bitmap = await createImageBitmap(new Blob([bytes]));
  return { bitmap, width: bitmap.width, height: bitmap.height, isMask };
}
