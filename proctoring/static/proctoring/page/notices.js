// What a candidate is told while they work: whether the connection stands, a proctor's words, a pause. Text is text, never
// markup; nothing takes the focus but a pause, and nothing covers the exam but a pause.
const parts = ((window.proctoring ??= {}).parts ??= {});

const GONE_AFTER = 20_000;

function element(name, options = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(options)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

class Notices {
  constructor(config) {
    this.texts = config.texts;
    this.pageUrl = config.urls.page;
    this.lang = config.language;
    this.connection = "ok";
    this.box = element("div", { class: "proctoring proctoring-notices", lang: this.lang });
    this.panels = element("div", { "aria-live": "assertive" });
    this.line = document.querySelector("[data-connection]");
    if (!this.line) {
      this.line = element("p", { class: "proctoring-connection", role: "status", "data-connection": "" });
      this.box.append(this.line);
    }
    this.box.append(this.panels);
    // Screen readers only hear of a region that was there before its words.
    document.body.append(this.box);
  }

  // "ok", "lost", or "stranger": nobody is logged in any more, or somebody else is.
  tell(connection) {
    if (connection === this.connection) return;
    this.connection = connection;
    const words = { ok: this.texts.online, lost: this.texts.offline, stranger: this.texts.loggedOut }[connection];
    this.line.dataset.offline = String(connection !== "ok");
    this.line.textContent = words;
    if (connection !== "stranger") return;
    const attributes = { href: this.pageUrl, target: "_blank", rel: "noopener" };
    this.line.append(" ", element("a", attributes, this.texts.logIn));
  }

  // Stays until it is closed. Returns the way to close it without a word.
  message(text, onClose) {
    const focused = document.activeElement;
    const close = element("button", { type: "button", class: "proctoring-button" }, this.texts.close);
    const panel = this.panel(this.texts.message, text, close);
    close.addEventListener("click", parts.guarded(() => {
      panel.remove();
      if (focused?.isConnected && focused !== document.body) focused.focus({ preventScroll: true });
      onClose();
    }));
    return () => panel.remove();
  }

  // Goes by itself, but for a person's words, which stay until they are closed.
  notice(title, text) {
    const close = element("button", { type: "button", class: "proctoring-button proctoring-button-quiet" }, this.texts.close);
    const panel = this.panel(title, text, close);
    const waiting = text ? 0 : setTimeout(() => panel.remove(), GONE_AFTER);
    close.addEventListener("click", () => {
      clearTimeout(waiting);
      panel.remove();
    });
  }

  panel(title, text, button) {
    const heading = element("strong", { class: "proctoring-notice-title" }, title);
    const body = element("p", { class: "proctoring-notice-text" }, text);
    const panel = element("div", { class: "proctoring-notice" }, heading, ...(text ? [body] : []), button);
    this.panels.append(panel);
    return panel;
  }

  // Over the whole page, and nothing behind it can be reached: for a page that does not leave by itself in a pause.
  pause(on) {
    if (!on) {
      const overlay = this.overlay;
      this.overlay = null;
      if (overlay) document.body.append(this.box);
      overlay?.close?.();
      overlay?.remove();
      return;
    }
    if (this.overlay) return;
    const heading = element("h2", { id: "proctoring-pause-title", tabindex: "-1" }, this.texts.paused);
    const attributes = { class: "proctoring proctoring-pause", lang: this.lang, "aria-labelledby": heading.id };
    const overlay = element("dialog", attributes, heading, element("p", {}, this.texts.pausedMore));
    this.overlay = overlay;
    // Escape closes dialogs, but it does not end a pause.
    overlay.addEventListener("cancel", (event) => event.preventDefault());
    overlay.addEventListener("close", () => {
      if (this.overlay === overlay) overlay.showModal();
    });
    // What a proctor says in a pause must be reached as well.
    overlay.append(this.box);
    document.body.append(overlay);
    overlay.showModal();
    heading.focus();
  }
}

parts.Notices = Notices;
