document.title = `parlor – ${location.host}`;
