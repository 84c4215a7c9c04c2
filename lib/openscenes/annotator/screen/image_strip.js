// The strip of an annotator's images: only those in sight are drawn, and asked for.

const STEP_PX = 116;
const MARKS = { untouched: "○", begun: "◐", done: "●", skipped: "–", damaged: "✕" };

function render({ model, el }) {
  const strip = document.createElement("div"), inside = document.createElement("div");
  strip.className = "os-strip";
  strip.style.cssText = "overflow-x:auto;overflow-y:hidden;position:relative";
  inside.style.cssText = "position:relative;height:96px";
  strip.append(inside);
  el.append(strip);
  const thumbs = new Map(), cells = new Map(); // place -> address; place -> element

  function cell(place) {
    const made = document.createElement("button"), picture = document.createElement("img");
    const words = document.createElement("span");
    made.type = "button";
    made.dataset.lmSuppressShortcuts = "true";
    made.style.cssText = `position:absolute;left:${place * STEP_PX}px;top:2px;width:${STEP_PX - 6}px;`
      + "height:92px;padding:2px;border-radius:3px;background:none;cursor:pointer;font-size:11px;"
      + "color:inherit;display:flex;flex-direction:column;align-items:center;gap:1px";
    picture.style.cssText = "max-width:100%;height:66px;object-fit:contain";
    picture.alt = "";
    words.style.cssText = "max-width:100%;overflow:hidden;text-overflow:ellipsis;white-space:nowrap";
    made.append(picture, words);
    made.addEventListener("click", () => model.send({ go: place }));
    inside.append(made);
    return { made, picture, words };
  }

  function inSight() {
    const n = model.get("names").length;
    const first = Math.max(0, Math.floor(strip.scrollLeft / STEP_PX) - 2);
    return [first, Math.min(n, first + Math.ceil(strip.clientWidth / STEP_PX) + 5)];
  }

  function draw() {
    const [names, states] = [model.get("names"), model.get("states")];
    const [first, end] = inSight(), missing = [];
    inside.style.width = `${names.length * STEP_PX}px`;
    for (const [place, { made }] of cells) {
      if (place < first || place >= end) { made.remove(); cells.delete(place); }
    }
    for (let place = first; place < end; place += 1) {
      if (!cells.has(place)) cells.set(place, cell(place));
      const { made, picture, words } = cells.get(place);
      const [state, here] = [states[place] ?? "", place === model.get("place")];
      const why = model.get("reasons")[place];
      const name = names[place].length > 13 ? `…${names[place].slice(-12)}` : names[place];
      words.textContent = `${MARKS[state] ?? ""} ${name}`;
      made.title = `${names[place]}: ${why ? `${state}, ${why}` : state}`;
      made.setAttribute("aria-label", `image ${place + 1} of ${names.length}, ${made.title}`);
      made.setAttribute("aria-current", here);
      made.dataset.state = state;
      made.style.border = here ? "3px solid #0072B2" : "1px solid #999";
      made.style.opacity = ["skipped", "damaged"].includes(state) ? 0.55 : 1;
      if (thumbs.has(place)) picture.src = thumbs.get(place);
      else missing.push(place);
    }
    if (missing.length) model.send({ wanted: missing });
  }

  let waiting = null;
  const soon = () => { clearTimeout(waiting); waiting = setTimeout(draw, 60); };

  function toPlace() {
    const left = model.get("place") * STEP_PX;
    if (left < strip.scrollLeft || left + STEP_PX > strip.scrollLeft + strip.clientWidth) {
      strip.scrollLeft = left - (strip.clientWidth - STEP_PX) / 2;
    }
    soon();
  }

  function heard(message, buffers) {
    if (message.thumb === undefined || !buffers.length) return;
    thumbs.set(message.thumb, URL.createObjectURL(new Blob([buffers[0]], { type: "image/jpeg" })));
    soon();
  }

  strip.addEventListener("scroll", soon);
  const seen = new ResizeObserver(toPlace);
  seen.observe(strip);
  for (const name of ["names", "states", "reasons"]) model.on(`change:${name}`, soon);
  model.on("change:place", toPlace);
  model.on("msg:custom", heard);
  toPlace();
  return () => {
    seen.disconnect();
    for (const address of thumbs.values()) URL.revokeObjectURL(address);
  };
}

export default { render };
