// The blocks on the diagonals of K-FAC's factors among an instruction's operands, from operand 4 on
// (src/ops/kfac_layers.ts).
#pragma once

#include <vector>

#include "program/kernel.h"

namespace flatmin {

// A factor, packed or the vector of its diagonal, and what is made of it.
struct FactorBlock {
  Operand factor, result;

  int64_t order() const { return result.dim(0); }
  bool isDiagonal() const { return result.type.shape.size() == 1; }
};

// Places in the list of blocks: those of A are [a, g), those of G [g, end).
struct FactorLayer {
  size_t a, g, end;
  int32_t tensor;
  Operand after;  // one more operand of the layer, where the op has it

  // The same for one side: 0 of A, 1 of G.
  size_t begin(size_t side) const { return side == 0 ? a : g; }
  size_t last(size_t side) const { return side == 0 ? g : end; }
};

struct FactorBlocks {
  std::vector<FactorBlock> blocks;
  std::vector<FactorLayer> layers;

  FactorBlocks(const Instruction& in, bool hasAfter) {
    size_t at = 4;
    const auto add = [&](double count) {
      for (size_t i = 0; i < static_cast<size_t>(count); ++i, at += 2)
        blocks.push_back({in.inputs.at(at), in.inputs.at(at + 1)});
      return blocks.size();
    };
    for (size_t l = 0; l < in.list("tensors").size(); ++l) {
      FactorLayer layer{};
      layer.tensor = static_cast<int32_t>(in.list("tensors")[l]);
      layer.a = blocks.size();
      layer.g = add(in.list("aBlocks").at(l));
      layer.end = add(in.list("gBlocks").at(l));
      if (hasAfter) layer.after = in.inputs.at(at++);
      layers.push_back(layer);
    }
  }
};

}  // namespace flatmin
