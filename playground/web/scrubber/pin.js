// A pinned run: it stays below the run on show, in step with it, and says in which settings the two differ.

import {closeSheets} from './sheets.js';
import {Strips} from './strips.js';

// Returns the frame of a pinned run that stands beside frame k of a run: the one after the same share of the way.
export function pinnedFrame(k, frames, pinnedFrames) {
  return Math.round((k / Math.max(1, frames - 1)) * (pinnedFrames - 1));
}

// Returns the title of a pinned run, given its settings and those of the run on show as the parameters of their links.
export function pinnedTitle(pinned, shown) {
  if (!pinned || !shown) return 'Pinned'; // no link can hold a drawing or an upload
  const [before, now] = [pinned, shown].map((link) => new URLSearchParams(link));
  const names = new Set([...before.keys(), ...now.keys()]);
  const changes = [...names].filter((name) => before.get(name) !== now.get(name));
  const texts = changes.map((name) => `${name} ${before.get(name) ?? '–'} → ${now.get(name) ?? '–'}`);
  return texts.length ? `Pinned; changed above: ${texts.join(', ')}` : 'Pinned; the settings are the same';
}

// The place of the pinned run in a scrubber, which is hidden while there is none.
export class Pin {
  constructor(scrubber) {
    this.scrubber = scrubber;
    this.container = scrubber.querySelector('.pinned');
    this.strips = new Strips(this.container.querySelector('.strips'));
    this.run = null;
    this.settings = '';
  }

  // Pins a run that is on show, or unpins the one that is pinned.
  toggle(shown) {
    const before = this.run;
    Object.assign(this, {run: before ? null : shown, settings: this.readSettings()});
    if (before !== shown) closeSheets(before);
    this.container.hidden = !this.run;
    if (this.run) this.strips.setValue(this.run);
    this.strips.layOut();
    this.scrubber.querySelector('[data-do=pin]').ariaPressed = Boolean(this.run);
  }

  // Frees the memory of a run that is no longer on show, unless it is pinned.
  release(run) {
    if (run !== this.run) closeSheets(run);
  }

  // Shows the frame that stands beside frame k of a run.
  follow(k, run) {
    if (!this.run) return;
    this.strips.drawFrame(pinnedFrame(k, run.frames, this.run.frames), this.run);
    this.container.querySelector('.pinned-title').textContent = pinnedTitle(this.settings, this.readSettings());
  }

  // Returns the settings of the run on show, as the parameters of the link beside it.
  readSettings() {
    return this.scrubber.closest('.stage')?.querySelector('[data-settings]')?.dataset.settings ?? '';
  }
}
