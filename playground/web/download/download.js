// Saves the file that comes as `props.value`, which save() of download/__init__.py makes.

import {make} from '../dom.js';

// Lets the browser save the file under its name.
function save() {
  const {file, name} = props.value ?? {};
  if (file) make('a', {href: file.url, download: name}).click();
}

watch('value', save);
