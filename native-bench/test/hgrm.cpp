// The .hgrm file.
#include "../src/hgrm.h"

#include "check.h"

using namespace bench;

TEST("a .hgrm file has HdrHistogram's format, line by line") {
  Histogram times;
  for (int index = 1; index <= 10; ++index) times.record(Nanoseconds{1} << (16 + index));
  // Each value is the lowest of its counter and is reported as the highest: 131072 ns as 132095 ns.
  CHECK(makeHgrm(times) ==
        "       Value     Percentile TotalCount 1/(1-Percentile)\n"
        "\n"
        "       0.132 0.000000000000          1           1.00\n"
        "       0.132 0.100000000000          1           1.11\n"
        "       0.264 0.200000000000          2           1.25\n"
        "       0.528 0.300000000000          3           1.43\n"
        "       1.057 0.400000000000          4           1.67\n"
        "       2.114 0.500000000000          5           2.00\n"
        "       4.227 0.550000000000          6           2.22\n"
        "       4.227 0.600000000000          6           2.50\n"
        "       8.454 0.650000000000          7           2.86\n"
        "       8.454 0.700000000000          7           3.33\n"
        "      16.908 0.750000000000          8           4.00\n"
        "      16.908 0.775000000000          8           4.44\n"
        "      16.908 0.800000000000          8           5.00\n"
        "      33.817 0.825000000000          9           5.71\n"
        "      33.817 0.850000000000          9           6.67\n"
        "      33.817 0.875000000000          9           8.00\n"
        "      33.817 0.887500000000          9           8.89\n"
        "      33.817 0.900000000000          9          10.00\n"
        "      67.109 0.912500000000         10          11.43\n"
        "      67.109 1.000000000000         10\n"
        "#[Mean    =       13.409, StdDeviation   =       20.591]\n"
        "#[Max     =       67.109, Total count    =           10]\n"
        "#[Buckets =           36, SubBuckets     =          128]\n");
}

TEST("a .hgrm file without values has a header and a footer") {
  CHECK(makeHgrm({}) ==
        "       Value     Percentile TotalCount 1/(1-Percentile)\n\n"
        "#[Mean    =        0.000, StdDeviation   =        0.000]\n"
        "#[Max     =        0.000, Total count    =            0]\n"
        "#[Buckets =           36, SubBuckets     =          128]\n");
}

TEST("a .hgrm file of many values ends and contains all of them") {
  Histogram times;
  for (int index = 0; index < 3'000'000; ++index) times.record(1'000 + index % 1'000);
  times.record(kSecond);
  const std::string text = makeHgrm(times);
  CHECK(text.find("    1000.000 1.000000000000    3000001\n") != std::string::npos);
  CHECK(text.size() < 10'000);
}
