// The list of studies: which images belong together, what the study scores, and the order.

const VIEWS = ["ap", "lateral", "oblique", ""];

let number = 0;

export class Studies {
  constructor(join) {
    this.all = [];
    this.byFolder = false;
    this.join = join; // scores of the images -> what each model says of the study
  }

  // An image is a study of its own until its tags say otherwise, or goes into a given one.
  add({ file, name, folder }, into = null) {
    const image = { file, name, folder, into, state: "waiting", pictures: {} };
    this.all.push(newStudy([image], "waiting"));
    return image;
  }

  of(image) {
    return this.all.find((study) => study.images.includes(image));
  }

  remove(study) {
    this.all = this.all.filter((other) => other !== study);
  }

  refuse(image, reason) {
    image.state = "refused";
    image.reason = reason;
    const study = this.of(image);
    if (study) {
      study.state = "refused";
    }
  }

  // Place a scored image; returns the study that it is in now, or null if it was taken off.
  async place(image, result) {
    const own = this.of(image);
    if (!own) {
      return null;
    }
    Object.assign(image, result, { state: "scored" });
    const key = this.keyOf(image);
    const given = image.into && this.all.includes(image.into) ? image.into : null;
    const same = (other) => other !== own && other.key === key && other.state === "scored";
    const study = given ?? (key ? this.all.find(same) : null) ?? own;
    if (study !== own) {
      this.remove(own);
      study.images.push(image);
      study.images.sort((one, other) => rank(one) - rank(other));
    } else {
      study.key = key;
    }
    study.state = "scored";
    await this.score(study);
    return study;
  }

  async score(study) {
    if (study.images.length === 1) {
      study.models = study.images[0].models;
      return;
    }
    const images = study.images.length;
    const models = await this.join(
      study.images.map((image) => image.models.map((model) => model.score)),
    );
    if (study.images.length === images) {
      study.models = models; // Another image came while the server joined: its own join follows.
    }
  }

  keyOf(image) {
    if (image.study) {
      return `study ${image.study}`;
    }
    return this.byFolder && image.folder ? `folder ${image.folder}` : "";
  }

  // Scored ones by score, then those that wait, then those that are refused.
  ordered() {
    const group = (study) => ["scored", "loading", "waiting", "refused"].indexOf(study.state);
    return [...this.all].sort(
      (one, other) =>
        group(one) - group(other) ||
        (one.state === "scored" ? other.models[0].score - one.models[0].score : 0) ||
        one.number - other.number,
    );
  }
}

function newStudy(images, state) {
  number += 1;
  return { number, images, state, key: "", models: null };
}

function rank(image) {
  return VIEWS.indexOf(image.view);
}

export function titleOf(study) {
  const [first] = study.images;
  const folder = first.folder.split("/").pop();
  return study.images.length > 1 && folder ? folder : first.name;
}

export function nameOfView(image) {
  const view = { ap: "AP", lateral: "Lateral", oblique: "Oblique" }[image.view] ?? "";
  const side = { L: "left", R: "right", B: "both" }[image.side] ?? "";
  return [view, side].filter(Boolean).join(", ");
}

export function isUnlike(image) {
  return image.state === "scored" && image.models.some(({ gate }) => gate.startsWith("unlike"));
}
