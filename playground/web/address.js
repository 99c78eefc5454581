// Returns an address with a parameter, or without it if its value is empty.
export function withParameter(href, key, value) {
  const url = new URL(href);
  if (value) url.searchParams.set(key, value);
  else url.searchParams.delete(key);
  return url.href;
}
