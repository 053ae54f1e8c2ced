// Which pools and logged calls the reader's filters leave. Nothing here touches the page.

const FILTERS = ["account", "region", "model", "endpoint", "tag", "application", "caller"];

const isFiltered = (chosen) => FILTERS.some((name) => chosen[name] !== "");

// A tag is chosen as key=value; keys hold no "=" in AWS's own rules for values that people pick from the list.
function hasTag(tags, chosen) {
  return Object.entries(tags ?? {}).some(([key, value]) => `${key}=${value}` === chosen);
}

function placeMatches(place, chosen) {
  return (
    (!chosen.account || place.account_id === chosen.account) &&
    (!chosen.region || place.region === chosen.region) &&
    (!chosen.model || place.model_id === chosen.model) &&
    (!chosen.endpoint || place.endpoint_type === chosen.endpoint)
  );
}

// `users` are the anchors of pools that logged calls of the chosen application and caller used; null when neither is chosen.
function poolMatches(anchor, pool, chosen, users) {
  return (
    placeMatches(pool, chosen) &&
    (!chosen.tag || pool.profiles.some((profile) => hasTag(profile.tags, chosen.tag))) &&
    (users === null || users.has(anchor))
  );
}

// Callers hold the text as it is written, upper and lower case told apart.
const textMatches = (text, part) => !part || (text ?? "").includes(part);
