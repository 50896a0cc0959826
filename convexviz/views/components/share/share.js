// Copies the address of the page, which holds the whole state.
// Says too whether the screen is a phone's, which the server cannot know: figures then fit it.
const NARROW = 560;

export default function ({parentElement: root, data, setStateValue}) {
  readRoles(root);
  const narrow = window.innerWidth < NARROW;
  if (narrow !== Boolean(data.narrow)) setStateValue('narrow', narrow);
  const button = root.querySelector('.share');
  const told = root.querySelector('.told');
  button.onclick = async () => {
    const address = window.location.href;
    let words = 'Link copied';
    try {
      await navigator.clipboard.writeText(address);
    } catch {
      window.prompt('Copy this link', address); // the clipboard needs https or localhost
      words = '';
    }
    told.textContent = words;
    setTimeout(() => { told.textContent = ''; }, 2000);
  };
  return watchLook(root, () => readRoles(root));
}
