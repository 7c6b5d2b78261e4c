// From the model's answer to a score and what it means. The arithmetic is that of
// iqa_zoo/calibration.py; `model` is the content of model.json.

// Percentiles from which on, and the words for them.
const STANDINGS = [
  [90, 'Among the best tenth'],
  [75, 'Among the best quarter'],
  [50, 'Better than most'],
  [25, 'Worse than most'],
  [10, 'Among the worst quarter'],
  [0, 'Among the worst tenth'],
];

const TASKS = { quality: 'technical quality' };

/** What is judged, in words. */
export function judged(model) {
  return TASKS[model.task] ?? model.task;
}

/**
 * The share of people for each mark. MediaPipe sorts its categories by share; a model
 * of 8 bits gives shares whose sum is not quite 1.
 */
export function distribution(categories, bins) {
  const shares = new Array(bins).fill(0);
  for (const { index, score } of categories) shares[index] = score;
  const total = shares.reduce((sum, share) => sum + share, 0);
  return shares.map((share) => share / total);
}

/** Mean of a distribution whose bins divide the scale evenly, ends included. */
export function mean(shares, [low, high]) {
  const step = (high - low) / (shares.length - 1);
  const sum = shares.reduce((sum, share, i) => sum + share * (low + i * step), 0);
  return Math.min(high, Math.max(low, sum));
}

/** The share of the card's set of photos that are worse, 0 to 100, or null. */
export function percentile(value, { quantiles, direction }) {
  if (!quantiles) return null;
  const below = interpolated(value, quantiles.score, quantiles.percent);
  return direction === 'lower_is_better' ? 100 - below : below;
}

/** As numpy.interp: linear between the points, constant beyond them. */
function interpolated(x, xs, ys) {
  const last = xs.length - 1;
  const i = xs.findLastIndex((known) => known <= x);
  if (i < 0) return ys[0];
  if (i === last) return ys[last];
  return ys[i] + ((x - xs[i]) * (ys[i + 1] - ys[i])) / (xs[i + 1] - xs[i]);
}

/** Where people's mean opinion probably is, [low, high], or null. */
export function interval(value, { interval, scale: [low, high] }) {
  if (!interval) return null;
  const half = interval.half_width;
  return [Math.max(low, value - half), Math.min(high, value + half)];
}

/** All that the page shows of an answer. */
export function meaning(categories, model) {
  const shares = distribution(categories, model.labels.length);
  const score = mean(shares, model.scale);
  return {
    shares,
    score,
    percentile: percentile(score, model),
    interval: interval(score, model),
  };
}

/** An answer in words: verdict, scale, standing, range and promise, '' where unknown. */
export function inWords(answer, model) {
  const [low, high] = model.scale;
  const [worst, best] =
    { higher_is_better: ['worst', 'best'], lower_is_better: ['best', 'worst'] }[
      model.direction
    ] ?? ['least', 'most'];
  const words = {
    verdict: capital(judged(model)),
    scale: `on a scale from ${low} (${worst}) to ${high} (${best})`,
    standing: '',
    range: '',
    promise: '',
  };
  if (answer.percentile !== null) {
    // Rounded down: "better than 100 %" is only what nothing surpasses.
    const percent = Math.floor(answer.percentile);
    words.verdict = STANDINGS.find(([from]) => answer.percentile >= from)[1];
    words.standing =
      `Better ${judged(model)} than ${percent} % of the photos that the model knows: ` +
      `${model.quantiles.set}.`;
  }
  if (answer.interval) {
    const [from, to] = answer.interval.map((end) => end.toFixed(1));
    words.range = `People’s average mark would probably lie between ${from} and ${to}.`;
    words.promise =
      `That range holds it for ${100 * model.interval.coverage} % of new photos like ` +
      `${model.interval.held_out}.`;
  }
  return words;
}

function capital(text) {
  return text[0].toUpperCase() + text.slice(1);
}
