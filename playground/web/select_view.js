// The view in the page's address is selected before Gradio mounts the page: what selects it later, Gradio may forget.

// Selects a view in a page's configuration, if it is there.
export function select(config, view) {
  const of = (type) => (config.components ?? []).filter((component) => component.type === type);
  if (!of('tabitem').some(({props}) => props.id === view)) return config;
  for (const {props} of of('tabs')) props.selected = view;
  return config;
}

// Lets a window select the view of its address, whether its configuration is there or still to be fetched.
export function selectView(scope) {
  const view = new URLSearchParams(scope.location.search).get('view');
  const send = scope.fetch.bind(scope);
  if (scope.gradio_config) select(scope.gradio_config, view);
  scope.fetch = async (input, init) => {
    const response = await send(input, init);
    const {pathname} = new URL(input.url ?? input, scope.location.href);
    if (!response.ok || !pathname.endsWith('/config')) return response;
    return Response.json(select(await response.json(), view));
  };
}
