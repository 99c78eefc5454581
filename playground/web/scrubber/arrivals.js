// Values that come too late for the scrubber.

// Returns whether a value is to be dropped, given the run whose frames are on their way, the run on show, and when the
// last run was stopped.
export function isLate(value, {loadingRun, shownRun, stopTime}) {
  if (value.started <= stopTime) return true; // it was on its way when its run was stopped
  if (loadingRun && !value.following && !value.address) return true; // a finished run is more than a preview
  if (value.part && !shownRun) return true;
  return Boolean(value.of) && value.of !== (loadingRun ?? shownRun ?? value.of); // another run has replaced that one
}
