import { shuffled, zipf, type Random } from './random.ts';

/** Words from which a shop's products and phrases are made. */
export interface Assortment {
  brands: readonly string[];
  colours: readonly string[];
  /** Product nouns and price range of each category, in whole currency units. */
  categories: Record<string, { nouns: readonly string[]; price: readonly [low: number, high: number] }>;
  /** Phrases without matching products. */
  missing: readonly string[];
}

export interface Product {
  productId: string;
  name: string;
  category: string;
  noun: string;
  brand: string;
  colour: string;
  /** Price in hundredths of the currency, so that sums are exact. */
  priceCents: number;
  variantIds: string[];
  /** Chance that a viewer clicks it. */
  appeal: number;
}

export interface Catalogue {
  /** Most popular first. */
  products: Product[];
  /** Most searched first. */
  phrases: string[];
  categories: string[];
  /** A random phrase: a few are frequent, most are rare. */
  pickPhrase: (random: Random) => string;
  pickCategory: (random: Random) => string;
  /** All matching products, best first. */
  search: (phrase: string) => Product[];
  /** Products of a category, most popular first. */
  list: (category: string) => Product[];
}

const SIZES = ['s', 'm', 'l'];

/** Creates a shop's catalogue; the same assortment and generator give the same one. */
export function createCatalogue(assortment: Assortment, random: Random): Catalogue {
  const drafts = Object.entries(assortment.categories).flatMap(([category, { nouns, price }]) =>
    nouns.flatMap((noun) =>
      assortment.brands.flatMap((brand) =>
        assortment.colours
          .filter(() => random.chance(0.6))
          .map((colour) => ({ category, noun, brand, colour, priceCents: priceWithin(price, random) })),
      ),
    ),
  );
  const products = shuffled(drafts, random).map((draft, rank): Product => {
    const productId = `SKU-${10_001 + rank}`;
    const variantIds =
      draft.category === 'shoes' || draft.category === 'clothing' ? SIZES.map((size) => `${productId}-${size}`) : [];
    return {
      ...draft,
      productId,
      name: `${draft.brand} ${draft.colour} ${draft.noun}`,
      variantIds,
      appeal: 0.12 + 0.3 * random.next(),
    };
  });
  const nouns = Object.values(assortment.categories).flatMap((category) => category.nouns);
  const phrases = [
    ...shuffled(nouns, random),
    ...shuffled(
      nouns.flatMap((noun) => [
        ...assortment.brands.map((brand) => `${brand.toLowerCase()} ${noun}`),
        ...assortment.colours.map((colour) => `${colour} ${noun}`),
      ]),
      random,
    ),
  ];
  // Phrases without results are about as frequent as average ones.
  assortment.missing.forEach((phrase, index) => phrases.splice(6 + index * 5, 0, phrase));

  const categories = Object.keys(assortment.categories);
  const phraseRank = zipf(phrases.length, 1.05);
  const categoryRank = zipf(categories.length, 0.7);
  const results = new Map<string, Product[]>();
  const lists = new Map<string, Product[]>();
  return {
    products,
    phrases,
    categories,
    pickPhrase: (random) => phrases[phraseRank(random)]!,
    pickCategory: (random) => categories[categoryRank(random)]!,
    search: (phrase) => memo(results, phrase, () => products.filter((product) => matches(product, phrase))),
    list: (category) => memo(lists, category, () => products.filter((product) => product.category === category)),
  };
}

function matches(product: Product, phrase: string): boolean {
  if (!phrase.endsWith(product.noun)) return false;
  const word = phrase.slice(0, -product.noun.length).trim();
  return word === '' || word === product.brand.toLowerCase() || word === product.colour;
}

/** A typical price: 249.00, 79.95. */
function priceWithin([low, high]: readonly [number, number], random: Random): number {
  const units = Math.round(low * (high / low) ** random.next());
  return units * 100 - (random.chance(0.5) ? 5 : 0);
}

function memo<T>(known: Map<string, T>, key: string, make: () => T): T {
  const value = known.get(key) ?? make();
  known.set(key, value);
  return value;
}
