// Keys and focus of the widget around a canvas. Jupyter's own shortcuts ("r" makes a cell raw, "x"
// cuts it) are kept out wherever the focus is inside, and the focus comes back after a button.

const WRITTEN = "textarea, [contenteditable=true], "
  + "input:not([type=checkbox], [type=radio], [type=range], [type=button], [type=submit])";
const OWN_KEYS = [
  ["select, [role=slider], input[type=range], input[type=radio]", /^(Arrow|Home|End|Page|Enter)/],
  ["button, a, summary, input[type=checkbox]", /^(Enter| )$/],
];

// The outermost widget around an element: what its cell shows.
function widgetAround(el) {
  let found = el;
  for (let node = el; node && !node.matches(".jp-OutputArea-output"); node = node.parentElement) {
    if (node.matches(".jupyter-widgets")) found = node;
  }
  return found;
}

const isWriting = (event) => event.target.matches(WRITTEN);
const isTaken = (event) => isWriting(event)
  || OWN_KEYS.some(([where, which]) => event.target.matches(where) && which.test(event.key));

// Shortcuts are meant for the element that has the focus: it is asked before what is around it.
function keepShortcutsOut(around) {
  around.dataset.lmSuppressShortcuts = "true";
  if (around.hasAttribute("tabindex")) return;
  around.addEventListener("focusin", ({ target }) => {
    target.dataset.lmSuppressShortcuts = "true";
  });
  around.tabIndex = -1; // a press between the controls leaves the focus inside
  around.style.outline = "none";
}

// Give keys to the canvas wherever the focus is inside, and the focus after a button or a name.
function listenAround(around, canvas, { keyed, signal }) {
  const back = () => canvas.focus({ preventScroll: true });
  around.addEventListener("keydown", (event) => {
    if (!isTaken(event)) keyed(event);
    else if (isWriting(event) && ["Enter", "Escape"].includes(event.key)) setTimeout(back);
  }, { signal });
  around.addEventListener("click", (event) => {
    if (event.detail && event.target.closest("button")) back(); // not of a press by keyboard
  }, { signal });
}
