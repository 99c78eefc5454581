// Saves the file that comes as `props.value`, which pack_file() of download/__init__.py makes.

// Lets the browser save the file under its name.
function save() {
  const value = props.value;
  if (!value || !value.file) return;
  const link = document.createElement('a');
  link.href = value.file.url;
  link.download = value.name;
  document.body.append(link);
  link.click();
  link.remove();
}

watch('value', save);
