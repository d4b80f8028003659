// Bar charts as SVG: small, without scripts, on a background of their own, so that they can be read on light and dark pages alike.

const WIDTH = 820;
const MARGIN = 20;
const BAR = { height: 16, gap: 3 };
const ROW_GAP = 9;
const VALUE_SPACE = 96;
/** The width of a character, on average and generously, at the size of the labels. */
const CHARACTER = 7.3;
/** Beyond this ratio of the longest to the shortest, bars of the same scale could not be seen: the axis is logarithmic then. */
const MOST_LINEAR_RATIO = 20;
const INK = "#1f2328";
const FAINT = "#59636e";
const LINE = "#d1d9e0";

/**
 * @param {object} chart
 * @param {string} chart.title the claim
 * @param {string} chart.axis what is measured, with its unit and which way is better
 * @param {Array<{ name: string, color: string }>} [chart.legend]
 * @param {Array<{ heading?: string, rows: Array<{ label: string, bars: Bar[] }> }>} chart.sections
 * @param {string[]} chart.footer
 * @typedef {{ parts: Array<{ value: number, color: string }>, shown: string }} Bar
 *   its parts one behind the other (on a logarithmic axis one), and its value as people read it
 */
export function barChart({ title, axis, legend = [], sections, footer }) {
  const rows = sections.flatMap((section) => section.rows);
  const left = MARGIN + Math.ceil(Math.max(...rows.map(({ label }) => label.length)) * CHARACTER) + 8;
  const scale = scaleFor(rows, left, WIDTH - MARGIN - VALUE_SPACE);
  const key = legendAt(legend, 46);
  const { lines, bottom } = body(sections, scale, left, key.bottom + 16);
  const middle = (scale.start + scale.end) / 2;
  const foot = footer.map((line, at) => text(MARGIN, bottom + 60 + at * 15, line, { size: 11, fill: FAINT }));
  const height = bottom + 58 + footer.length * 15;
  const font = "Helvetica, Arial, 'DejaVu Sans', sans-serif";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" font-family="${font}">`,
    `<title>${escaped(title)}</title>`,
    `<rect width="${WIDTH}" height="${height}" rx="8" fill="#ffffff" stroke="${LINE}"/>`,
    text(MARGIN, 32, title, { size: 15, weight: 600 }),
    ...key.lines,
    ...gridOf(scale, key.bottom + 8, bottom),
    ...lines,
    text(middle, bottom + 36, axisTitle(axis, scale), { anchor: "middle", fill: FAINT }),
    ...foot,
    "</svg>",
    "",
  ].join("\n");
}

function body(sections, scale, left, top) {
  const lines = [];
  let y = top;
  for (const { heading, rows } of sections) {
    if (heading !== undefined) {
      lines.push(text(MARGIN, y + 13, heading, { weight: 600 }));
      y += 22;
    }
    for (const { label, bars } of rows) {
      const height = bars.length * (BAR.height + BAR.gap) - BAR.gap;
      lines.push(text(left - 8, y + height / 2 + 4.5, label, { anchor: "end" }));
      lines.push(...bars.flatMap((bar, at) => barAt(bar, y + at * (BAR.height + BAR.gap), scale)));
      y += height + ROW_GAP;
    }
    y += ROW_GAP;
  }
  return { lines, bottom: y - ROW_GAP };
}

function barAt({ parts, shown }, y, scale) {
  const lines = [];
  let [sum, x] = [0, scale.start];
  for (const { value, color } of parts) {
    sum += value;
    const end = scale.at(sum);
    lines.push(
      `<rect x="${fixed(x)}" y="${y}" width="${fixed(Math.max(end - x, 0.5))}" height="${BAR.height}" fill="${color}"/>`,
    );
    x = end;
  }
  return [...lines, text(x + 6, y + 12.5, shown, { size: 12 })];
}

function scaleFor(rows, start, end) {
  const sums = rows.flatMap(({ bars }) =>
    bars.map(({ parts }) => parts.reduce((sum, { value }) => sum + value, 0)),
  );
  const [least, most] = [Math.min(...sums), Math.max(...sums)];
  if (most / least <= MOST_LINEAR_RATIO) {
    const step = stepFor(most);
    const ticks = Array.from({ length: Math.floor(most / step) + 1 }, (_, at) => at * step);
    return { start, end, isLogarithmic: false, ticks, at: (value) => start + (value / most) * (end - start) };
  }
  // From the power of ten below the shortest bar, so that each bar can be seen.
  const from = Math.ceil(Math.log10(least)) - 1;
  const to = Math.log10(most);
  const ticks = Array.from({ length: Math.floor(to) - from + 1 }, (_, at) => 10 ** (from + at));
  return {
    start,
    end,
    isLogarithmic: true,
    ticks,
    at: (value) => start + ((Math.log10(value) - from) / (to - from)) * (end - start),
  };
}

/** Some five of them, round. */
function stepFor(most) {
  const rough = most / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  return power * [1, 2, 5, 10].find((factor) => factor * power >= rough);
}

function gridOf({ ticks, at }, top, bottom) {
  return ticks.flatMap((tick) => {
    const x = fixed(at(tick));
    const label = tick.toLocaleString("en-US", { maximumSignificantDigits: 3 });
    return [
      `<line x1="${x}" y1="${top}" x2="${x}" y2="${bottom}" stroke="${LINE}"/>`,
      text(x, bottom + 16, label, { size: 11, anchor: "middle", fill: FAINT }),
    ];
  });
}

function axisTitle(axis, { isLogarithmic }) {
  return isLogarithmic ? `${axis} · logarithmic scale` : axis;
}

/** In as many lines as it takes. */
function legendAt(legend, top) {
  let [x, y] = [MARGIN, top];
  const lines = legend.flatMap(({ name, color }) => {
    const width = 17 + name.length * CHARACTER;
    if (x + width > WIDTH - MARGIN) [x, y] = [MARGIN, y + 20];
    const box = `<rect x="${fixed(x)}" y="${y}" width="12" height="12" fill="${color}"/>`;
    const label = text(x + 17, y + 10.5, name, { size: 12 });
    x += width + 8;
    return [box, label];
  });
  return { lines, bottom: legend.length > 0 ? y + 16 : top - 8 };
}

function text(x, y, content, { size = 13, weight = 400, anchor = "start", fill = INK } = {}) {
  const place = `x="${fixed(x)}" y="${fixed(y)}"`;
  return `<text ${place} font-size="${size}" font-weight="${weight}" text-anchor="${anchor}" fill="${fill}">${escaped(content)}</text>`;
}

function fixed(number) {
  return String(Math.round(number * 10) / 10);
}

function escaped(content) {
  return content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
