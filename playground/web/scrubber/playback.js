// Playing of frames at a given speed, whatever the browser's own.

const MAX_PAUSE = 250; // milliseconds of a hidden page that are made up for

// Returns how many frames to go on after some milliseconds, and the time left over for the next call.
export function countSteps(time, framesPerSecond) {
  const period = 1000 / framesPerSecond;
  const steps = Math.max(0, Math.floor(time / period));
  return {steps, rest: time - steps * period};
}

// Clock that calls `advance(steps)` while it runs.
export class Playback {
  constructor(speed, advance) {
    this.speed = speed; // function that returns frames per second
    this.advance = advance;
    this.isPlaying = false;
    this.lastTime = 0;
    this.rest = 0;
    this.request = null; // for the next frame of the browser
  }

  start() {
    Object.assign(this, {isPlaying: true, rest: 0, lastTime: performance.now()});
    this.wait();
  }

  // Ticks at the browser's next frame, once, however often playing was started before that.
  wait() {
    cancelAnimationFrame(this.request);
    this.request = requestAnimationFrame((now) => this.tick(now));
  }

  // Stays on the frame for some milliseconds more.
  hold(time) {
    this.rest = -time;
  }

  stop() {
    this.isPlaying = false;
  }

  tick(now) {
    if (!this.isPlaying) return;
    const elapsed = Math.min(now - this.lastTime, MAX_PAUSE);
    const {steps, rest} = countSteps(this.rest + elapsed, this.speed());
    Object.assign(this, {rest, lastTime: now});
    if (steps) this.advance(steps);
    if (this.isPlaying) this.wait();
  }
}
