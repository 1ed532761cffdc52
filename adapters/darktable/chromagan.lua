--[[ darktable: export > target storage > "colorize with chromagan".
Each photo is exported, colorized beside its original as NAME_colour, taken into the library and grouped with it. ]]

local dt = require "darktable"

local command = "chromagan" -- give the whole path where darktable does not find it
local windows = dt.configuration.running_os == "windows"

local function quoted(path)
  if windows then
    return '"' .. path .. '"'
  end
  return "'" .. path:gsub("'", "'\\''") .. "'"
end

local function colorize(image, exported)
  local name = image.filename:gsub("%.[^.]*$", "") .. "_colour." .. exported:match("[^.]*$")
  local output = image.path .. (windows and "\\" or "/") .. name
  local words = { quoted(command), "sample", quoted(exported), "-o", quoted(output), "--overwrite", "--quiet" }
  local line = table.concat(words, " ")
  if dt.control.execute(windows and '"' .. line .. '"' or line) ~= 0 then
    dt.print("chromagan could not colorize " .. image.filename .. "; start darktable in a terminal to see why")
    return
  end
  dt.database.import(output):group_with(image)
  dt.print(name)
end

local function finalize(_, images, _)
  for image, exported in pairs(images) do
    colorize(image, exported)
    os.remove(exported)
  end
end

dt.register_storage("chromagan", "colorize with chromagan", nil, finalize)
