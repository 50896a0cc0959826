export default function ({parentElement: root, data}) {
  const draw = () => {
    readRoles(root);
    drawCertificate(root.querySelector('.c'), data);
  };
  draw();
  return watchLook(root, draw);
}
