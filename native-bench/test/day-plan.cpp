#include "../src/day-plan.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>
#include <vector>

#include "../src/options.h"
#include "check.h"

using namespace bench;

namespace {

constexpr std::string_view kDay =
    "duration,connections,joins,pushes,broadcasts,burst\n"
    "1s,10,0,0,0,0\n"
    "1s,40,10,30,20,3\n"
    "500ms,25,0,0,4,2\n";

DayPlan planOf(std::string_view text) { return DayPlan(parseDay(text, "my.csv")); }

/** Writes one letter per action, in the order of the enumeration. */
std::string lettersOf(const DayPlan& plan, const DayPlan::Part& part) {
  std::string letters;
  for (std::uint64_t index = part.first; index < part.end(); ++index) {
    letters += "cgjpb"[static_cast<std::size_t>(plan.stepOf(index).action)];
  }
  return letters;
}

}  // namespace

TEST("each period has the actions of its line, and the turns of each kind continue all day") {
  const DayPlan plan = planOf(kDay);
  CHECK(plan.residents() == 10);
  CHECK(plan.parts().size() == 3);
  CHECK(plan.parts()[0].end() == 0);
  CHECK(plan.parts()[1].first == 0 && plan.parts()[1].end() == 3 + 30 + 10 + 30 + 20);
  CHECK(plan.parts()[2].end() - plan.parts()[2].first == 2 + 15 + 2);
  std::array<std::uint64_t, DayPlan::kActions> turns{};
  for (std::uint64_t index = 0; index < plan.parts()[2].end(); ++index) {
    const Step step = plan.stepOf(index);
    CHECK(step.turn == turns[static_cast<std::size_t>(step.action)]++);
  }
  CHECK((turns == std::array<std::uint64_t, DayPlan::kActions>{30, 15, 10, 30, 3 + 20 + 2 + 2}));
}

TEST("a burst comes first in its period, and the rest is evenly mixed") {
  const DayPlan plan = planOf("duration,connections,pushes,joins,burst\n1s,1,6,3,2\n");
  CHECK(lettersOf(plan, plan.parts()[0]) == "bbppjppjppj");
  const std::string letters = lettersOf(planOf(kDay), planOf(kDay).parts()[1]);
  CHECK(letters.starts_with("bbb"));
  // In any 30 actions in a row, each kind has its share, with an error of at most one per split.
  for (std::size_t start = 3; start + 30 <= letters.size(); ++start) {
    const std::string_view part = std::string_view(letters).substr(start, 30);
    for (const auto& [letter, share] : {std::pair{'c', 10}, std::pair{'p', 10}, std::pair{'b', 7}}) {
      const auto count = std::count(part.begin(), part.end(), letter);
      CHECK(count >= share - 2 && count <= share + 2);
    }
  }
}

TEST("visitors take turns: the first to come goes first, and none comes again before it has gone") {
  const DayPlan plan = planOf("duration,connections\n1s,3\n1s,8\n1s,4\n1s,8\n1s,3\n");
  std::vector<std::size_t> there;
  std::size_t most = 0;
  for (std::uint64_t index = 0; index < plan.parts().back().end(); ++index) {
    const Step step = plan.stepOf(index);
    const std::size_t visitor = plan.visitorOf(step.turn);
    CHECK(visitor >= 3 && visitor < 8);
    if (step.action == Action::come) {
      CHECK(std::find(there.begin(), there.end(), visitor) == there.end());
      there.push_back(visitor);
    } else {
      CHECK(!there.empty() && there.front() == visitor);
      there.erase(there.begin());
    }
    most = std::max(most, there.size());
  }
  CHECK(most == 5 && there.empty());
}

TEST("a day with a constant number of connections has no visitors; too many actions are refused") {
  CHECK(planOf("duration,connections\n1s,3\n").parts().back().end() == 0);
  std::string error;
  try {
    planOf("duration,connections,pushes\n60m,1,1m\n");
  } catch (const OptionError& caught) {
    error = caught.what();
  }
  CHECK(error == "a period must hold at most 2147483648 sends (its rates by its duration), got 3600000000");
}
