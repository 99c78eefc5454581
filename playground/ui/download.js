// Saves the file that comes as `props.value`, which file() of download.py makes.
watch('value', () => {
  const value = props.value;
  if (!value || !value.file) return;
  const link = document.createElement('a');
  link.href = value.file.url;
  link.download = value.name;
  document.body.append(link);
  link.click();
  link.remove();
  element.dataset.saved = value.name;
});
