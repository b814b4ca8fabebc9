"""Images of two classes in folders, augmented by ImageDataGenerator of Keras 2, and fit_generator."""

import os
import random
import tempfile

import numpy as np
from keras import backend as K
from keras.layers import Activation, Conv2D, Dense, Dropout, Flatten, MaxPooling2D
from keras.models import Sequential
from keras.preprocessing.image import ImageDataGenerator, array_to_img, img_to_array, load_img

random.seed(9)
np.random.seed(9)
img_width, img_height, batch_size = 12, 12, 16
folder = tempfile.mkdtemp()

for split, count in (("train", 48), ("validation", 16)):
    for name in ("cats", "dogs"):
        os.makedirs(os.path.join(folder, split, name))
        for i in range(count // 2):
            picture = np.random.uniform(0, 100, (img_width, img_height, 3))
            picture[3:9, 3:9, 0 if name == "cats" else 2] += 150
            array_to_img(picture, scale=False).save(os.path.join(folder, split, name, "%s.%d.png" % (name, i)))
picture = img_to_array(load_img(os.path.join(folder, "train", "cats", "cats.0.png"), target_size=(6, 6)))
assert picture.shape == (6, 6, 3)

if K.image_data_format() == "channels_first":
    input_shape = (3, img_width, img_height)
else:
    input_shape = (img_width, img_height, 3)
model = Sequential()
model.add(Conv2D(8, (3, 3), input_shape=input_shape))
model.add(Activation("relu"))
model.add(MaxPooling2D(pool_size=(2, 2)))
model.add(Flatten())
model.add(Dense(16))
model.add(Activation("relu"))
model.add(Dropout(0.2))
model.add(Dense(1))
model.add(Activation("sigmoid"))
model.compile(loss="binary_crossentropy", optimizer="rmsprop", metrics=["accuracy"])

train_datagen = ImageDataGenerator(rescale=1.0 / 255, shear_range=0.2, zoom_range=0.2, horizontal_flip=True)
test_datagen = ImageDataGenerator(rescale=1.0 / 255)
train_generator = train_datagen.flow_from_directory(
    os.path.join(folder, "train"), target_size=(img_width, img_height), batch_size=batch_size, class_mode="binary"
)
validation_generator = test_datagen.flow_from_directory(
    os.path.join(folder, "validation"),
    target_size=(img_width, img_height),
    batch_size=batch_size,
    class_mode="binary",
    shuffle=False,
)
assert train_generator.class_indices == {"cats": 0, "dogs": 1}

history = model.fit_generator(
    train_generator,
    steps_per_epoch=48 // batch_size,
    epochs=8,
    validation_data=validation_generator,
    validation_steps=1,
    verbose=0,
)
loss, accuracy = model.evaluate_generator(validation_generator, steps=1)
probabilities = model.predict_generator(validation_generator, steps=1)
agreement = np.mean((probabilities.ravel() > 0.5) == validation_generator.classes)
assert agreement == accuracy
print("figure:", history.history["loss"][0], history.history["val_loss"][-1], history.history["val_acc"][-1], accuracy)
