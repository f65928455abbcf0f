// Elements without HTML in strings: names of files are text wherever they stand.

const SVG = "http://www.w3.org/2000/svg";

export function element(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== undefined && value !== false) {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children.filter((child) => child !== null));
  return node;
}

const SHAPES = {
  injury: { d: "M8 2 15 14H1Z" },
  normal: { d: "M8 2.5a5.5 5.5 0 1 0 .01 0Z", class: "hollow" },
  uncertain: { d: "M8 1 15 8 8 15 1 8Z", class: "hollow" },
  unlike: { d: "M8 2 15 14H1ZM8 6.5v4M8 12v.6", class: "hollow" },
  refused: { d: "M3 3 13 13M13 3 3 13", class: "hollow" },
  waiting: { d: "M8 2a6 6 0 1 1-6 6", class: "hollow" },
};

export function icon(kind) {
  return svg(
    "svg",
    { viewBox: "0 0 16 16", class: `icon ${kind}`, "aria-hidden": "true" },
    svg("path", SHAPES[kind]),
  );
}
