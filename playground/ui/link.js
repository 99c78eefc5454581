// The link of what is shown. `props.value` comes from value() of links.py. Triggers `select` when it is first seen with one.
const button = element.querySelector('button');
let seen = false;
const say = (text) => { button.textContent = text; setTimeout(() => { button.textContent = 'Copy link'; }, 2500); };

function hold() {                    // in the page's address, beside what is Gradio's own
  if (!props.value || !element.offsetParent) return;
  const own = [...new URLSearchParams(location.search)].filter(([key]) => key.startsWith('__'));
  const query = new URLSearchParams([...own, ...Object.entries(props.value.address)]);
  history.replaceState(history.state, '', `?${query}${location.hash}`);
  if (!seen) setTimeout(() => trigger('select'), 100);      // when what came with the value is in its place
  seen = true;
}

button.addEventListener('click', async () => {
  if (!props.value?.link) return say('A drawing fits into no link');
  const link = `${location.origin}${location.pathname}?${new URLSearchParams(props.value.link)}`;
  try { await navigator.clipboard.writeText(link); }
  catch { window.prompt('Copy this link:', link); return; }
  say(props.value.copied);
});
new ResizeObserver(hold).observe(button);        // its tab was opened
watch('value', hold);
hold();
