// The page: a photo or the camera in, a score and what it means out.

import { inWords, judged, meaning } from './meaning.js';

// Between two looks at the camera, in milliseconds, and how long the network rests
// for every millisecond that it works, so that a phone stays cool.
const PAUSE = 300;
const REST = 1.5;
// Some phones draw no larger canvas.
const LARGEST_AREA = 4096 * 4096;

const $ = (id) => document.getElementById(id);
const show = (id, shown) => ($(id).hidden = !shown);

class Problem extends Error {}

const loading = load();
let turn = 0; // of the newest photo: an older one that is still being read is dropped
let stream = null;

async function load() {
  const [model, weights, vision] = await Promise.all([
    fetched('model.json').then((answer) => answer.json()),
    fetched('model.tflite').then((answer) => answer.arrayBuffer()),
    import('./vendor/vision_bundle.mjs').catch(() => missing('vendor')),
  ]);
  const files = await vision.FilesetResolver.forVisionTasks('vendor');
  // On a GPU, MediaPipe resizes in another way and scores differ. Without maxResults
  // and scoreThreshold all bins come back.
  const classifier = await vision.ImageClassifier.createFromOptions(files, {
    baseOptions: { modelAssetBuffer: new Uint8Array(weights), delegate: 'CPU' },
  });
  return { model, classifier };
}

async function fetched(name) {
  const answer = await fetch(name).catch(() => missing(name));
  return answer.ok ? answer : missing(name);
}

function missing(name) {
  throw new Problem(
    `This folder lacks ${name}. Prepare a folder with: iqa-zoo web FOLDER`,
  );
}

/** Bring a picture to what MediaPipe takes: upright, on white, at its own size. */
function drawn(picture, width, height) {
  const side = largestSide();
  const scale = Math.min(
    1,
    side / Math.max(width, height),
    Math.sqrt(LARGEST_AREA / (width * height)),
  );
  const canvas = document.createElement('canvas');
  canvas.width = Math.floor(width * scale);
  canvas.height = Math.floor(height * scale);
  const context = canvas.getContext('2d', { alpha: false });
  context.imageSmoothingQuality = 'high';
  context.fillStyle = 'white';
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(picture, 0, 0, canvas.width, canvas.height);
  return canvas;
}

let side = 0;
function largestSide() {
  if (!side) {
    const gl = document.createElement('canvas').getContext('webgl2');
    side = gl ? gl.getParameter(gl.MAX_TEXTURE_SIZE) : 4096;
    gl?.getExtension('WEBGL_lose_context')?.loseContext();
  }
  return side;
}

/** Judge a canvas and show the answer; `aloud` says it to a screen reader too. */
async function judge(canvas, aloud) {
  const { model, classifier } = await loading;
  if (Math.min(canvas.width, canvas.height) < model.least) {
    throw new Problem(
      `${canvas.width} × ${canvas.height} pixels are too few; the model needs ` +
        `${model.least} a side.`,
    );
  }
  const start = performance.now();
  const { classifications } = classifier.classify(canvas);
  const took = performance.now() - start;
  const answer = meaning(classifications[0].categories, model);
  render(answer, model, aloud);
  $('speed').textContent =
    ` · ${canvas.width} × ${canvas.height} pixels judged in ${took.toFixed(0)} ms`;
  return took;
}

function render(answer, model, aloud) {
  const words = inWords(answer, model);
  for (const [id, text] of Object.entries(words)) {
    $(id).textContent = text;
    show(id, text);
  }
  $('score').value = answer.score;
  $('score').textContent = answer.score.toFixed(2);
  const top = Math.max(...answer.shares);
  [...$('bars').children].forEach((bar, i) => {
    const share = answer.shares[i];
    bar.dataset.share = share;
    bar.style.setProperty('--height', share / top);
    bar.querySelector('.share').textContent = `${Math.round(100 * share)} %`;
  });
  const [low, high] = model.scale;
  const bins = answer.shares.length;
  // The middle of the first bar stands for the lowest mark, that of the last for the
  // highest.
  const place = (mark) =>
    `${(100 * (0.5 + ((mark - low) / (high - low)) * (bins - 1))) / bins}%`;
  $('dot').style.left = place(answer.score);
  show('band', answer.interval);
  if (answer.interval) {
    const [from, to] = answer.interval;
    $('band').style.left = place(from);
    $('band').style.right = `calc(100% - ${place(to)})`;
  }
  $('result').dataset.percentile = answer.percentile ?? '';
  $('result').dataset.interval = answer.interval?.join(' ') ?? '';
  show('result', true);
  if (aloud) {
    say(`Score ${answer.score.toFixed(1)} ${words.scale}. ${words.verdict}.`);
  }
}

function say(text) {
  $('status').textContent = text;
  show('problem', false);
}

function complain(error) {
  $('status').textContent = '';
  $('problem').textContent =
    error instanceof Problem
      ? error.message
      : `This did not work: ${error.message ?? error}`;
  show('problem', true);
  document.body.dataset.state = 'failed';
}

/** Show and judge a picture; what goes wrong is said on the page. */
async function take(source, name) {
  const mine = ++turn;
  document.body.dataset.state = 'busy';
  $('speed').textContent = '';
  say(`Looking at ${name} …`);
  try {
    const picture = new Image();
    picture.src = URL.createObjectURL(source);
    await picture.decode().catch(() => {
      URL.revokeObjectURL(picture.src);
      throw new Problem(
        `${name} cannot be read: this browser does not know its format, or it is ` +
          'damaged or no picture. JPEG, PNG and WebP work everywhere.',
      );
    });
    if (mine !== turn) {
      URL.revokeObjectURL(picture.src);
      return;
    }
    const canvas = drawn(picture, picture.naturalWidth, picture.naturalHeight);
    URL.revokeObjectURL($('preview').src);
    $('preview').src = picture.src;
    $('preview').alt = name;
    show('preview', true);
    show('invitation', false);
    await new Promise(requestAnimationFrame); // judging holds up drawing
    await loading;
    if (mine !== turn) return;
    await judge(canvas, true);
    document.body.dataset.state = 'done';
  } catch (error) {
    if (mine !== turn) return;
    complain(error);
    for (const id of ['result', 'preview']) show(id, false);
    show('invitation', true);
    $('preview').removeAttribute('src');
  }
}

function takeFile(file) {
  if (!file) return;
  closeCamera();
  take(file, file.name);
}

async function openCamera() {
  const mine = ++turn;
  let opened;
  try {
    if (!navigator.mediaDevices) {
      throw new Problem('The camera needs a page from https:// or from this machine.');
    }
    opened = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: 'environment', width: { ideal: 1280 } },
    });
  } catch (error) {
    if (mine !== turn) return;
    const reasons = {
      NotAllowedError: 'The camera may not be used. Allow it in the browser’s settings.',
      NotFoundError: 'There is no camera here. Choose a photo instead.',
      NotReadableError: 'The camera is in use elsewhere.',
    };
    complain(reasons[error.name] ? new Problem(reasons[error.name]) : error);
    return;
  }
  if (mine !== turn) {
    stop(opened); // a photo was chosen, or the camera asked for again
    return;
  }
  stream = opened;
  stream.getVideoTracks()[0].onended = () => {
    closeCamera();
    say('The camera is gone.');
  };
  $('video').srcObject = stream;
  try {
    await $('video').play();
    if (mine !== turn) return;
    cameraIs(true);
    $('take').focus();
    say('The camera is on. The score follows what it sees.');
    await loading;
    while (mine === turn) {
      const took = document.hidden ? 0 : await judge(frame(), false);
      document.body.dataset.state = 'live';
      await new Promise((done) => setTimeout(done, PAUSE + REST * took));
    }
  } catch (error) {
    if (mine === turn) {
      closeCamera();
      complain(error);
    }
  }
}

function stop(stream) {
  stream.getTracks().forEach((track) => track.stop());
}

function frame() {
  const video = $('video');
  return drawn(video, video.videoWidth, video.videoHeight);
}

function closeCamera() {
  if (!stream) return;
  turn++;
  stop(stream);
  stream = null;
  $('video').srcObject = null;
  cameraIs(false);
  $('camera').focus();
}

function cameraIs(on) {
  for (const id of ['video', 'take', 'stop']) show(id, on);
  for (const id of ['file', 'choose', 'camera']) show(id, !on);
  show('preview', !on && $('preview').src);
  show('invitation', !on && !$('preview').src);
}

async function takeStill() {
  const still = frame();
  closeCamera();
  const photo = await new Promise((done) => still.toBlob(done, 'image/png'));
  take(photo, 'the picture from the camera');
}

function prepare({ model }) {
  document.title = `${document.title} – ${model.title}`;
  $('task').textContent = judged(model);
  $('model').textContent = `${model.title} (${model.name})`;
  for (const limit of model.limits) {
    $('limits').append(Object.assign(document.createElement('li'), { textContent: limit }));
  }
  for (const label of model.labels) {
    const bar = $('bar').content.cloneNode(true);
    bar.querySelector('b').textContent = label;
    $('bars').append(bar);
  }
}

$('file').addEventListener('change', ({ target }) => {
  takeFile(target.files[0]);
  target.value = ''; // so that the same file can be chosen again
});
$('camera').addEventListener('click', openCamera);
$('take').addEventListener('click', takeStill);
$('stop').addEventListener('click', () => {
  closeCamera();
  say('The camera is off.');
});
for (const name of ['dragenter', 'dragover', 'dragleave', 'drop']) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle('dropping', name === 'dragenter' || name === 'dragover');
    if (name === 'drop') takeFile(event.dataTransfer.files[0]);
  });
}

say('Loading the model …');
loading.then(
  (loaded) => {
    prepare(loaded);
    if (turn === 0) {
      say('Ready.');
      document.body.dataset.state = 'ready';
    }
  },
  complain,
);
