// The subset of JSON that a load generator needs: quoting, and finding values without decoding.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace bench {

/** Quotes and escapes text (UTF-8) as a JSON string. */
std::string jsonQuote(std::string_view text);

/**
 * Extracts the first elements of the JSON array `text`, each as raw JSON.
 *
 * @param elements filled in order; the array must have at least as many elements
 * @returns false if `text` is not an array with that many elements
 */
bool jsonElements(std::string_view text, std::span<std::string_view> elements);

/** Returns the elements of a JSON array, each as raw JSON, or nothing if `text` is not an array. */
std::optional<std::vector<std::string_view>> jsonArray(std::string_view text);

/**
 * Returns a member of an object as raw JSON, or nothing if the member is missing or `object` is not
 * an object.
 */
std::optional<std::string_view> jsonMember(std::string_view object, std::string_view name);

/**
 * Returns the content of a raw JSON string, including its escapes, or nothing for any other value.
 */
std::optional<std::string_view> jsonStringBody(std::string_view raw);

/** Decodes a raw JSON string into UTF-8; nothing for any other value or an invalid escape. */
std::optional<std::string> jsonUnquote(std::string_view raw);

/** Parses a raw JSON number without sign, fraction or exponent; nothing for anything else. */
std::optional<std::uint64_t> jsonUnsigned(std::string_view raw);

}  // namespace bench
