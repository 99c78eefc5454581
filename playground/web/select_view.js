// The view in the page's address is selected before Gradio mounts the page: what selects it later, Gradio may forget.

const MOUNTING = 30_000; // milliseconds in which a page that the server has rendered mounts

// Selects a view in a page's configuration; returns false if it is not there.
export function select(config, view) {
  const of = (type) => (config.components ?? []).filter((component) => component.type === type);
  const isThere = of('tabitem').some(({props}) => props.id === view);
  if (isThere) for (const {props} of of('tabs')) props.selected = view;
  return isThere;
}

// Presses the tab of a view unless it is selected; returns false if it is not there yet.
function press(page, view) {
  const tab = [...page.querySelectorAll('[role=tab]')].find(({dataset}) => dataset.tabId === view);
  if (tab && tab.getAttribute('aria-selected') !== 'true') tab.click();
  return Boolean(tab);
}

// Lets a window select the view of its address. A page that the server renders has mounted when this runs: there the tab
// is pressed.
export function selectView(scope) {
  const view = new URLSearchParams(scope.location.search).get('view');
  if (!view) return;
  if (scope.gradio_config && !select(scope.gradio_config, view)) return;
  if (press(scope.document, view)) return;
  const observer = new scope.MutationObserver(() => {
    if (press(scope.document, view)) observer.disconnect();
  });
  observer.observe(scope.document, {subtree: true, childList: true});
  scope.setTimeout(() => observer.disconnect(), MOUNTING); // the address may name a view that no page has
}
