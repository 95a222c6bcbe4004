// What the server wants done in the page: each once, however often it is delivered, and after a reload too.
const parts = ((window.proctoring ??= {}).parts ??= {});

const SOON = 300;
const RELOAD_WITHIN = 3_000;
const SETTLED_WITHIN = 4_000;

function withLimit(milliseconds, promise) {
  return Promise.race([promise, new Promise((resolve) => setTimeout(resolve, milliseconds))]);
}

class Commands {
  // page: {heart, buffer, notices, texts, isPaused, leave(), tell(command)}
  constructor(page) {
    this.page = page;
    this.met = new Map();
    this.open = new Map();
    this.work = Promise.resolve();
  }

  // Resolves when everything has been done, or after a while.
  hear(answer) {
    const commands = answer.commands ?? [];
    this.work = this.work
      .then(async () => {
        for (const command of commands) await this.take(command, answer);
        this.closeOthers(commands);
      })
      .catch(() => {});
    return withLimit(SETTLED_WITHIN, this.work);
  }

  // A message that another tab has closed is not delivered any more.
  closeOthers(commands) {
    const waiting = new Set(commands.map((one) => one.id));
    for (const [id, close] of this.open) {
      if (waiting.has(id)) continue;
      this.open.delete(id);
      close();
    }
  }

  async take(command, answer) {
    const { id } = command;
    if (this.met.get(id) === "done" || (!this.met.has(id) && (await this.page.buffer.isDone(id)))) {
      this.met.set(id, "done");
      this.say(id, "applied");
      return;
    }
    if (this.met.has(id)) return;
    this.met.set(id, "met");
    this.page.tell(command);
    await this[command.kind]?.(command, answer);
  }

  say(id, state) {
    this.page.heart.acknowledge(id, state);
    this.page.heart.beatWithin(SOON);
  }

  // Remembered before it is said, so that no reload does it again.
  async finish(id) {
    this.met.set(id, "done");
    await this.page.buffer.markDone(id);
    this.say(id, "applied");
  }

  message({ id, text }) {
    const show = () => {
      if (document.hidden) return;
      document.removeEventListener("visibilitychange", show);
      const close = this.page.notices.message(text, () => {
        this.open.delete(id);
        this.finish(id);
      });
      this.open.set(id, close);
      this.say(id, "seen");
    };
    // Nobody reads in a tab that lies behind.
    document.addEventListener("visibilitychange", show);
    show();
  }

  pause(command, answer) {
    return this.turn(command, answer, this.page.texts.pauseNotice);
  }

  resume(command, answer) {
    return this.turn(command, answer, this.page.texts.resumeNotice);
  }

  // The state itself comes with every answer. A page that leaves because of it leaves the words to the page it goes to.
  async turn({ id, text }, answer, title) {
    if (this.page.leavesBecauseOf(answer)) {
      this.met.delete(id);
      this.say(id, "seen");
      return;
    }
    // An overlay says the rest.
    if (text || !this.page.notices.overlay) this.page.notices.notice(title, text);
    await this.finish(id);
  }

  async extend({ id, text, minutes }) {
    const { extended, timeChanged } = this.page.texts;
    const title = minutes > 0 ? extended.replace("{minutes}", String(minutes)) : timeChanged;
    this.page.notices.notice(title, text);
    await this.finish(id);
  }

  // The page that it leaves for has the words as well; an LMS may leave in its own time, or not at all.
  async terminate({ id, text }) {
    if (text) this.page.notices.notice(this.page.texts.ended, text);
    await this.finish(id);
    await withLimit(RELOAD_WITHIN, this.page.heart.beat());
    this.page.leave();
  }

  async reload({ id }) {
    await this.finish(id);
    const told = await withLimit(RELOAD_WITHIN, this.page.heart.beat());
    // Where nothing can be remembered, only the server's memory ends the loop.
    if (!told && !this.page.buffer.durable) {
      this.met.delete(id);
      return;
    }
    await withLimit(RELOAD_WITHIN, this.page.heart.drain());
    window.location.reload();
  }
}

parts.Commands = Commands;
