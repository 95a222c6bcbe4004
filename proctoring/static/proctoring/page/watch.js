// What a page notices of itself: whether it is left, how large it is, which commands are tried, what breaks in it, and
// which question somebody is at. Each kind can be switched off; nothing is stopped unless the page says so.
const parts = ((window.proctoring ??= {}).parts ??= {});

const TYPES = {
  pageVisited: 1003, questionVisited: 1004, questionAnswered: 1005, fullScreenLeft: 1030, fullScreenEntered: 1031,
  left: 1032, returned: 1033, contextMenu: 1034, command: 1035, inspector: 1036, clientError: 1040,
};
const LEFT_FOR = 700;
const SAME_MENU = 1_000;
const SAME_ANSWER = 400;
const INSPECTOR_SIZE = 200;
const INSPECTOR_FOR = 2_000;
const ERRORS_A_MINUTE = 10;
const MINUTE = 60_000;

// In somebody else's frame the focus wanders to the page around it, which is no leaving; there only being hidden counts.
function isInForeignFrame() {
  try {
    return window.top !== window && !window.top.document;
  } catch {
    return true;
  }
}

function hasFocus() {
  try {
    return window.top.document.hasFocus();
  } catch {
    return document.hasFocus();
  }
}

// One leave is one event, however the browser tells it: a tab that goes is blurred and hidden, a click into a frame of
// the page's own is blurred and comes back at once, a page that is unloaded is hidden at the end.
function watchFocus(note) {
  const framed = isInForeignFrame();
  let leftAt = null;
  let confirmed = false;
  let unloading = false;
  let waiting;
  const away = () => document.hidden || (!framed && !hasFocus());
  const confirm = () => {
    if (leftAt === null || confirmed || unloading) return;
    confirmed = true;
    note(TYPES.left, { occurred_at: leftAt.toISOString(), data: { hidden: document.hidden } });
  };
  const look = () => {
    clearTimeout(waiting);
    if (away()) {
      leftAt ??= new Date();
      waiting = setTimeout(() => (away() ? confirm() : look()), LEFT_FOR);
    } else if (leftAt !== null) {
      const milliseconds = Date.now() - leftAt.getTime();
      // A page that was frozen while it was away had no time to say so.
      if (milliseconds >= LEFT_FOR) confirm();
      if (confirmed) note(TYPES.returned, { data: { seconds: Math.max(0, Math.round(milliseconds / 1000)) } });
      leftAt = null;
      confirmed = false;
    }
  };
  // The browser says "blurred" a moment before it knows where the focus is going.
  window.addEventListener("blur", () => setTimeout(look));
  window.addEventListener("focus", look);
  document.addEventListener("visibilitychange", look);
  window.addEventListener("pagehide", () => {
    unloading = true;
  });
  window.addEventListener("pageshow", () => {
    unloading = false;
    look();
  });
}

function watchFullScreen(note) {
  const filled = window.matchMedia?.("(display-mode: fullscreen)");
  const now = () => Boolean(document.fullscreenElement || document.webkitFullscreenElement || filled?.matches);
  let was = now();
  const look = () => {
    const is = now();
    if (is === was) return;
    was = is;
    note(is ? TYPES.fullScreenEntered : TYPES.fullScreenLeft);
  };
  document.addEventListener("fullscreenchange", look);
  document.addEventListener("webkitfullscreenchange", look);
  filled?.addEventListener?.("change", look);
}

// What is tried: noted, and stopped where the page says so. What is not stopped must not read as if it were.
function tried(note, type, command, event, blocked) {
  if (blocked) event.preventDefault();
  note(type, {
    reason_message: blocked ? command : `${command} (noted, not blocked)`,
    data: { command, blocked },
  });
}

function watchClipboard(note, blocked) {
  for (const name of ["copy", "cut", "paste"]) {
    document.addEventListener(name, (event) => tried(note, TYPES.command, name, event, blocked), true);
  }
}

function watchContextMenu(note, blocked) {
  let last = -Infinity;
  document.addEventListener("contextmenu", (event) => {
    if (blocked) event.preventDefault();
    if (performance.now() - last < SAME_MENU) return;
    last = performance.now();
    tried(note, TYPES.contextMenu, "context menu", event, blocked);
  }, true);
}

function shortcutOf(event) {
  const key = (event.key ?? "").toLowerCase();
  const main = event.ctrlKey || event.metaKey;
  if (key === "f12") return "developer tools";
  // Option changes the letter on a Mac, so that the place of the key counts there.
  const letter = /^Key([A-Z])$/.exec(event.code ?? "")?.[1].toLowerCase() ?? key;
  if (main && (event.shiftKey || event.altKey) && ["i", "j", "c", "k"].includes(letter)) return "developer tools";
  if (main && key === "u") return "page source";
  if (main && key === "p") return "print";
  if (main && key === "s") return "save";
  return "";
}

function watchShortcuts(note, blocked) {
  document.addEventListener("keydown", (event) => {
    const command = event.repeat ? "" : shortcutOf(event);
    if (command) tried(note, TYPES.command, command, event, blocked);
    else if (blocked && event.repeat && shortcutOf(event)) event.preventDefault();
  }, true);
}

// Tools that are docked take room from the page while the window keeps its size. A zoomed page changes its pixels, a
// moved window its outer size, a telephone's keyboard has no docks: none of these counts. Tools in a window of their
// own are not seen.
function watchInspector(note) {
  if (window.top !== window || window.matchMedia?.("(pointer: coarse)").matches) return;
  const size = () => ({
    ratio: window.devicePixelRatio, outerWidth: window.outerWidth, outerHeight: window.outerHeight,
    width: window.innerWidth, height: window.innerHeight,
  });
  let before = size();
  let open = false;
  let waiting;
  const same = (one, other) =>
    one.ratio === other.ratio && one.outerWidth === other.outerWidth && one.outerHeight === other.outerHeight;
  const settle = () => {
    const now = size();
    const lost = Math.max(before.width - now.width, before.height - now.height);
    const docked = same(before, now) && lost >= INSPECTOR_SIZE && document.visibilityState === "visible";
    if (docked && !open) {
      open = true;
      note(TYPES.inspector, { data: { evidence: "the page became smaller inside its window", pixels: lost } });
    } else if (!docked) {
      open = false;
      before = now;
    }
  };
  window.addEventListener("resize", () => {
    clearTimeout(waiting);
    waiting = setTimeout(settle, INSPECTOR_FOR);
  });
}

// A loop that fails a thousand times a second is worth ten lines a minute, and the same fault one.
function watchErrors(note) {
  let times = [];
  const last = new Map();
  const tell = (text, data) => {
    const now = performance.now();
    times = times.filter((time) => now - time < MINUTE);
    if (times.length >= ERRORS_A_MINUTE || now - (last.get(text) ?? -Infinity) < MINUTE) return;
    times.push(now);
    if (last.size > 50) last.clear();
    last.set(text, now);
    note(TYPES.clientError, { error: text, data });
  };
  window.addEventListener("error", (event) => {
    const file = String(event.filename ?? "").replace(/[?#].*$/, "");
    tell(String(event.message || "Error"), { file, line: event.lineno ?? null });
  });
  window.addEventListener("unhandledrejection", (event) => {
    const reason = event.reason;
    tell(`Unhandled rejection: ${reason instanceof Error ? `${reason.name}: ${reason.message}` : typeof reason}`, {});
  });
}

function questionOf(element) {
  const section = element?.closest?.("[data-proctoring-question]");
  if (!section) return null;
  const number = Number.parseInt(section.dataset.proctoringQuestion, 10);
  return { section, itemId: section.dataset.proctoringItem, number: Number.isNaN(number) ? undefined : number };
}

// Sections of the LMS's page that are marked: being at one is a visit, a changed field an answer. What was answered is
// not looked at.
function watchQuestions(api) {
  let current = null;
  const answered = new WeakMap();
  const visit = (found) => {
    if (!found || found.section === current) return;
    current = found.section;
    api.questionVisited(found);
  };
  for (const name of ["focusin", "pointerdown"]) {
    document.addEventListener(name, (event) => visit(questionOf(event.target)), true);
  }
  document.addEventListener("change", (event) => {
    const found = questionOf(event.target);
    if (!found) return;
    visit(found);
    // One answer may change several fields at once.
    const before = answered.get(found.section) ?? -Infinity;
    answered.set(found.section, performance.now());
    if (performance.now() - before > SAME_ANSWER) api.questionAnswered(found);
  }, true);
  const sections = document.querySelectorAll("[data-proctoring-question]");
  if (sections.length === 1) visit(questionOf(sections[0]));
}

// note(type, fields) notes it; api is what the LMS calls.
function watchPage(config, note, api) {
  const wants = (kind) => config.notes.includes(kind) || config.blocks.includes(kind);
  const blocks = (kind) => config.blocks.includes(kind);
  const kinds = {
    focus: () => watchFocus(note),
    full_screen: () => watchFullScreen(note),
    clipboard: () => watchClipboard(note, blocks("clipboard")),
    context_menu: () => watchContextMenu(note, blocks("context_menu")),
    shortcuts: () => watchShortcuts(note, blocks("shortcuts")),
    inspector: () => watchInspector(note),
    errors: () => watchErrors(note),
    questions: () => watchQuestions(api),
  };
  for (const [kind, begin] of Object.entries(kinds)) if (wants(kind)) parts.guarded(begin)();
  if (wants("pages")) {
    api.pageVisited(config.item);
    window.addEventListener("pageshow", (event) => {
      if (event.persisted) api.pageVisited(config.item);
    });
  }
}

parts.TYPES = TYPES;
parts.watchPage = watchPage;
