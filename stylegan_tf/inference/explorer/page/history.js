// Undo and redo of states, and bookmarks that the browser keeps.

const LIMIT = 200;
const KEY = "stylegan_tf.explorer.bookmarks";

export class History {
  constructor(state) {
    this.states = [JSON.stringify(state)];
    this.position = 0;
  }
  push(state) {
    const text = JSON.stringify(state);
    if (text === this.states[this.position]) return;
    this.states = [...this.states.slice(0, this.position + 1), text].slice(-LIMIT);
    this.position = this.states.length - 1;
  }
  move(by) {
    const position = this.position + by;
    if (position < 0 || position >= this.states.length) return null;
    this.position = position;
    return JSON.parse(this.states[position]);
  }
  get canUndo() {
    return this.position > 0;
  }
  get canRedo() {
    return this.position < this.states.length - 1;
  }
}

// [{state, network, picture}], picture being a small data URL; [] where nothing was kept or it cannot be read.
export function bookmarks() {
  try {
    const found = JSON.parse(localStorage.getItem(KEY) || "[]");
    return Array.isArray(found) ? found.filter((mark) => mark && mark.state && typeof mark.picture === "string") : [];
  } catch {
    return [];
  }
}

export function keepBookmarks(marks) {
  localStorage.setItem(KEY, JSON.stringify(marks.slice(-50)));
}
